{{ stage_focus_file(source('raw', 'files__focus')) }}
