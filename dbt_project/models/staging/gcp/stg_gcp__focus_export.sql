{{ stage_focus_file(source('raw', 'gcp__focus_export')) }}
