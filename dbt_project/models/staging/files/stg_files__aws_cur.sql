{{ stage_aws_cur(source('raw', 'files__aws_cur')) }}
