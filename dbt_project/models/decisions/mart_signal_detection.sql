select
    cast(benchmark as string) as benchmark, cast(fault as string) as fault, series, window_days, recall, recall_page, delay_days,
    precision, precision_page, f1, notices_per_month, pages_per_month, target_recall,
    cast(case when target_recall is null then 'no target' when recall >= target_recall then 'met' else 'missed' end as string) as state,
    cast(command as string) as command
from {{ ref('signal_detection') }}
