select * from {{ ref('focus_conformance_check') }}
