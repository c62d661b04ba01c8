"""Texts that the vendors send and that must never land anywhere. A test greps the lake and the warehouse for them.

Each is unique, so a hit names the field that leaked.
"""

PROMPT = "CANARY-PROMPT-7f3a please summarise the merger letter of Mr Okonkwo"
COMPLETION = "CANARY-COMPLETION-19bd the letter offers 4.2 million for the estate"
PROXY_REQUEST = "CANARY-PROXYBODY-c044 system: you are a helpful paralegal"
TAG_UNKNOWN_KEY = "CANARY-TAGKEY-5e21 my password is hunter2"
TAG_FREE_TEXT = "CANARY-TAGTEXT-88f0 write an angry mail to the landlord"
METADATA = "CANARY-METADATA-aa17 the patient asks about her diagnosis"
KEY_HINT = "sk-ant-api03-CANARYHINT-d2...9QAA"
REDACTED_KEY = "sk-proj-CANARYREDACTED-61**********xyz"
JIRA_DESCRIPTION = "CANARY-JIRADESC-3c9e salary table of the board attached"
PULL_BODY = "CANARY-PULLBODY-e870 prompt pasted into the pull request"
LINEAR_DESCRIPTION = "CANARY-LINEARDESC-b21f the prompt that made the model leak"
GITLAB_DESCRIPTION = "CANARY-GITLABDESC-6d90 transcript pasted into the merge request"
GITLAB_CONFIDENTIAL = "CANARY-GITLABTITLE-f417 breach of the payroll mailbox"
COMMIT_BODY = "CANARY-COMMITBODY-a4e7 pasted the session that wrote this change"
COMMIT_SUBJECT = "CANARY-COMMITSUBJECT-2b71 after the call about the merger"
COMMIT_AUTHOR = "CANARY-COMMITAUTHOR-8c3d Private Name"
EXPENSE_MEMO = "CANARY-EXPENSEMEMO-0e55 needed it to draft the layoff letters"
SECRET_LINEAR = "lin_api_CANARYSECRETsandbox"
SECRET_GITLAB = "glpat-CANARYSECRETsandbox"
SECRET_ADMIN_ANTHROPIC = "sk-ant-admin01-CANARYSECRET-sandbox"
SECRET_ADMIN_OPENAI = "sk-admin-CANARYSECRET-sandbox"
SECRET_LITELLM = "sk-litellm-CANARYSECRET-sandbox"
SECRET_GITHUB = "ghp_CANARYSECRETsandbox"
SECRET_JIRA = "jira-CANARYSECRET-sandbox"
SECRET_OPENROUTER = "sk-or-v1-CANARYSECRET-management"
SECRET_LANGFUSE = "sk-lf-CANARYSECRET-sandbox"
SECRET_HELICONE = "sk-helicone-CANARYSECRET-sandbox"
SECRET_PORTKEY = "pk-CANARYSECRET-sandbox"
SECRET_ANTHROPIC_ANALYTICS = "sk-ant-analytics-CANARYSECRET-sandbox"
SECRET_CURSOR = "key_CANARYSECRETcursorsandbox"
SECRET_COPILOT = "ghp_CANARYSECRETcopilotsandbox"
SECRET_XAI = "xai-token-CANARYSECRET-management"
SECRET_HUGGINGFACE = "hf_CANARYSECRETsandbox"
SECRET_MISTRAL = "mistral-CANARYSECRET-admin"
SECRET_AWS = "aws-CANARYSECRET-sandbox"

CANARIES: dict[str, str] = {
    name: value
    for name, value in globals().copy().items()
    if name.isupper() and isinstance(value, str)
}
