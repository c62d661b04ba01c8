{{ stage_focus_file(source('raw', 'aws__focus_export')) }}
