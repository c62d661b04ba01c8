select * from {{ ref('focus_file_focus') }}
union all
select * from {{ ref('focus_file_aws_cur') }}
union all
select * from {{ ref('focus_file_oci') }}
union all
select * from {{ ref('focus_file_azure') }}
