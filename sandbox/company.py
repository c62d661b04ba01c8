"""Facts of the company that no seed, length or scale changes: teams, people, customers, keys, deployments."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from dataclasses import dataclass

ORGANIZATION = "acme"
ANTHROPIC_ORGANIZATION_ID = "2f6c1f0e-5d0b-4f6e-9a51-acme00000001"
OPENAI_ORGANIZATION_ID = "org-acme0001"


@functools.cache
def token(kind: str, name: str, length: int = 20) -> str:
    """A stable identifier-looking text for `name`, the same on every machine."""
    return hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()[:length]


@dataclass(frozen=True)
class Team:
    """An engineering team: the Jira project it works in, the repository it ships from and its head count."""

    team: str
    name: str
    cost_center: str
    department: str
    project: str
    repo: str
    size: int


TEAMS = (
    Team("support-ai", "Support AI", "CC-410", "CX", "SUPP", "customer-apps", 10),
    Team("legal-ai", "Legal AI", "CC-420", "Legal Ops", "LEGAL", "customer-apps", 7),
    Team("revenue-ai", "Revenue AI", "CC-430", "Revenue", "SALES", "agents", 7),
    Team("it-knowledge", "IT Knowledge", "CC-440", "IT", "KNOW", "agents", 8),
    Team("brand-ai", "Brand AI", "CC-450", "Brand", "BRAND", "customer-apps", 5),
    Team("platform", "AI Platform", "CC-500", "Engineering", "PLAT", "platform", 9),
    Team("data", "Data Platform", "CC-510", "Engineering", "DATA", "platform", 8),
    Team("devx", "Developer Experience", "CC-520", "Engineering", "DEVX", "tooling", 6),
)
TEAM_INDEX = {t.team: i for i, t in enumerate(TEAMS)}
REPOS = ("customer-apps", "agents", "platform", "tooling")
# One team plans in Linear and builds on GitLab; all others in Jira and on GitHub.
LINEAR_TEAM = "devx"
GITLAB_REPO = "tooling"
PROJECTS = tuple(t.project for t in TEAMS if t.team != LINEAR_TEAM)
GITHUB_REPOS = tuple(r for r in REPOS if r != GITLAB_REPO)

_FIRST = (
    "Ada", "Ben", "Chloe", "Dan", "Elif", "Farid", "Gina", "Hugo", "Ines", "Jonas", "Keiko", "Liam", "Maya", "Nils",
    "Olga", "Pavel", "Quinn", "Rosa", "Samir", "Tess",
)
_LAST = ("Abbott", "Berg", "Costa")


@dataclass(frozen=True)
class Person:
    """An engineer and the identifiers every vendor knows them by."""

    person_id: str
    name: str
    team: str
    email: str
    github_id: int
    github_login: str
    jira_account_id: str
    anthropic_user_id: str
    openai_user_id: str
    litellm_user_id: str


def _people() -> tuple[Person, ...]:
    people = []
    for number in range(sum(t.size for t in TEAMS)):
        first, last = _FIRST[number % len(_FIRST)], _LAST[number // len(_FIRST)]
        person_id = f"p{number + 1:03d}"
        seats = number
        team = TEAMS[0].team
        for candidate in TEAMS:
            if seats < candidate.size:
                team = candidate.team
                break
            seats -= candidate.size
        people.append(
            Person(
                person_id=person_id,
                name=f"{first} {last}",
                team=team,
                email=f"{first}.{last}@acme.example".lower(),
                github_id=50_001 + number,
                github_login=f"{first}-{last}".lower(),
                jira_account_id=f"5f{token('jira', person_id, 22)}",
                anthropic_user_id=f"user_01{token('anthropic', person_id, 20)}",
                openai_user_id=f"user-{token('openai', person_id, 20)}",
                litellm_user_id=f"u-{person_id}",
            )
        )
    return tuple(people)


PEOPLE = _people()
PERSON_INDEX = {p.person_id: i for i, p in enumerate(PEOPLE)}
# One engineer changed teams: facts are dated.
MOVED_PERSON, MOVED_FROM, MOVED_TO, MOVED_ON = "p010", "support-ai", "data", dt.date(2026, 5, 1)


def team_on(person: int, day: dt.date) -> int:
    """Index of the team a person belongs to on a day."""
    who = PEOPLE[person]
    return TEAM_INDEX[MOVED_TO if who.person_id == MOVED_PERSON and day >= MOVED_ON else who.team]


def members(team: str) -> list[int]:
    """Indexes of the people whose home team is `team`."""
    return [i for i, p in enumerate(PEOPLE) if p.team == team]


def owner(team: str) -> Person:
    """The first member of a team answers for it."""
    return PEOPLE[members(team)[0]]


CUSTOMERS = tuple(
    (f"cust-{n:02d}", name)
    for n, name in enumerate(
        (
            "Northwind Foods", "Blue Harbor Bank", "Helios Energy", "Juniper Health", "Kestrel Air", "Lumen Retail",
            "Mosaic Media", "Orchid Hotels", "Pioneer Rail", "Quarry Steel", "Riverbend Schools", "Summit Insurance",
        ),
        start=1,
    )
)


@dataclass(frozen=True)
class Workflow:
    """A product workflow. `calls_share` and `cost` are the monthly figures the company is modelled on."""

    workflow: str
    name: str
    team: str
    department: str
    outcome: str
    features: tuple[str, ...]
    model_calls: int
    input_tokens: int
    monthly_cost: int


WORKFLOWS = (
    Workflow("support-copilot", "Support copilot", "support-ai", "CX", "case resolved",
             ("draft-reply", "case-summary", "triage"), 1_240_000, 6_800, 41_800),
    Workflow("contract-extraction", "Contract extraction", "legal-ai", "Legal Ops", "contract extracted",
             ("clause-extraction", "risk-flags"), 210_000, 12_400, 24_200),
    Workflow("sales-research-agent", "Sales research agent", "revenue-ai", "Revenue", "account brief delivered",
             ("account-brief", "prospect-list"), 96_000, 9_100, 17_600),
    Workflow("internal-knowledge-bot", "Internal knowledge bot", "it-knowledge", "IT", "question answered",
             ("answer", "search-index"), 880_000, 3_200, 15_400),
    Workflow("marketing-drafting", "Marketing drafting", "brand-ai", "Brand", "asset published",
             ("copy-draft", "localisation"), 140_000, 2_400, 6_600),
    Workflow("everything-else", "Everything else", "platform", "Various", "task finished",
             ("log-triage", "data-labelling", "evaluation"), 320_000, 1_900, 4_400),
)  # fmt: skip
CODING = len(WORKFLOWS)
CODING_WORKFLOW = "coding-tools"
WORKFLOW_NAMES = (*(w.workflow for w in WORKFLOWS), CODING_WORKFLOW)
FEATURES = tuple(dict.fromkeys((*(f for w in WORKFLOWS for f in w.features), "coding")))
FEATURE_INDEX = {f: i for i, f in enumerate(FEATURES)}


@dataclass(frozen=True)
class Credential:
    """A key at a provider. `team`, `workflow` and `person` say who owns it; an orphan has none of them."""

    source: str
    key_id: str | None
    name: str
    workspace: str | None
    team: str = ""
    workflow: str = ""
    person: str = ""
    environment: str = "production"
    is_gateway: bool = False
    status: str = "active"
    creator: str = "p038"
    user: str | None = None

    @property
    def is_orphan(self) -> bool:
        """True when nobody in the company says the key is theirs."""
        return not (self.team or self.workflow or self.person)


# id, name, archived on, tags. The default workspace is null in reports and has a real id in lists.
WORKSPACES = (
    ("wrkspc_01default", "Default", None, {}),
    ("wrkspc_01gateway", "Gateway production", None, {"cost_center": "CC-500"}),
    ("wrkspc_01batch", "Contract batch", None, {"cost_center": "CC-420"}),
    ("wrkspc_01coding", "Coding tools", None, {"cost_center": "CC-520"}),
    ("wrkspc_01teams", "Team keys", None, {}),
    ("wrkspc_01pilot", "Pilot 2025", "2026-02-01T00:00:00Z", {}),
)
DEFAULT_WORKSPACE = "wrkspc_01default"
# id, name, status, archived at (unix seconds)
OPENAI_PROJECTS = (
    ("proj_gateway01", "gateway-production", "active", None),
    ("proj_brand01", "brand-studio", "active", None),
    ("proj_data01", "data-embeddings", "active", None),
    ("proj_default01", "Default project", "active", None),
    ("proj_pilot01", "pilot-2025", "archived", 1_769_904_000),
)

# People who run the coding tool with a key of their own, outside the gateway.
OWN_KEY_PEOPLE = tuple(p.person_id for i, p in enumerate(PEOPLE) if i % 3 == 1)
# People who have a seat of the chat product: notional usage in the coding report, seats on the invoice.
SEAT_PEOPLE = tuple(p.person_id for i, p in enumerate(PEOPLE) if i % 4 == 2)


def _credentials() -> tuple[Credential, ...]:
    fixed = [
        Credential("anthropic", "apikey_01gwmain", "gateway-main", "wrkspc_01gateway", "platform", is_gateway=True),
        Credential("anthropic", "apikey_01gwbatch", "gateway-batch", "wrkspc_01batch", "legal-ai",
                   "contract-extraction", is_gateway=True),
        Credential("anthropic", "apikey_01gwcode", "gateway-coding", "wrkspc_01coding", "devx", CODING_WORKFLOW,
                   environment="development", is_gateway=True),
        Credential("anthropic", "apikey_01supporteval", "support-evals", "wrkspc_01teams", "support-ai",
                   "support-copilot", environment="test", creator="p001"),
        Credential("anthropic", "apikey_01datashared", "data-shared-notebooks", "wrkspc_01teams", "data",
                   environment="development", creator="p047"),
        Credential("anthropic", "apikey_01legacy7", "legacy-7", None, creator="p003"),
        Credential("anthropic", "apikey_01pilot", "pilot-2025", "wrkspc_01pilot", "revenue-ai",
                   "sales-research-agent", status="archived", creator="p018"),
        Credential("openai", "key_gwmain01", "gateway-main", "proj_gateway01", "platform", is_gateway=True),
        Credential("openai", "key_branddirect01", "brand-direct", "proj_brand01", "brand-ai", "marketing-drafting",
                   creator="p033"),
        Credential("openai", "key_dataembed01", "data-embeddings", "proj_data01", "data", creator="p047"),
        Credential("openai", None, "playground", "proj_default01", "it-knowledge", "internal-knowledge-bot",
                   environment="development", creator="p025", user="p025"),
        Credential("openai", "key_pilot01", "pilot-2025", "proj_pilot01", "brand-ai", "marketing-drafting",
                   status="archived", creator="p033"),
    ]  # fmt: skip
    own = [
        Credential("anthropic", f"apikey_01cc{p}", f"claude-code-{p}", "wrkspc_01coding", "", CODING_WORKFLOW, p,
                   "development", creator=p)
        for p in OWN_KEY_PEOPLE
    ]  # fmt: skip
    console = [
        Credential("anthropic", None, f"console-{p}", None, "", "", p, "development", user=p)
        for p in ("p011", "p047", "p055")
    ]
    return tuple(fixed + own + console)


CREDENTIALS = _credentials()
CREDENTIAL_INDEX = {(c.source, c.name): i for i, c in enumerate(CREDENTIALS)}

AWS_PAYER = "000111222333"
AWS_ACCOUNTS = (
    ("000111222333", "acme-payer", ""),
    ("111222333444", "acme-production", ""),
    ("222333444555", "acme-data", "data"),
    ("333444555666", "acme-development", "devx"),
    ("444555666777", "acme-ml", "platform"),
)
BEDROCK_GATEWAY_PROFILE = (
    "arn:aws:bedrock:us-east-1:111222333444:application-inference-profile/gwprofile01"
)


@dataclass(frozen=True)
class Deployment:
    """A model behind the gateway. `model` is the provider's name, `credential` indexes CREDENTIALS (-1: AWS)."""

    deployment_id: str
    alias: str
    provider: str
    model: str
    credential: int
    tier: str = "standard"

    @property
    def source(self) -> str:
        """The bill on which the deployment's traffic appears."""
        return "aws" if self.provider == "bedrock" else self.provider


_GW_MAIN = CREDENTIAL_INDEX["anthropic", "gateway-main"]
_GW_BATCH = CREDENTIAL_INDEX["anthropic", "gateway-batch"]
_GW_CODE = CREDENTIAL_INDEX["anthropic", "gateway-coding"]
_GW_OPENAI = CREDENTIAL_INDEX["openai", "gateway-main"]
DEPLOYMENTS = (
    Deployment("gw-opus-4-5", "claude-opus", "anthropic", "claude-opus-4-5", _GW_MAIN),
    Deployment("gw-sonnet-4-5", "claude-sonnet", "anthropic", "claude-sonnet-4-5", _GW_MAIN),
    Deployment("gw-sonnet-5", "claude-sonnet", "anthropic", "claude-sonnet-5", _GW_MAIN),
    Deployment("gw-haiku-4-5", "claude-haiku", "anthropic", "claude-haiku-4-5", _GW_MAIN),
    Deployment("gw-batch-sonnet-4-5", "claude-sonnet-batch", "anthropic", "claude-sonnet-4-5", _GW_BATCH, "batch"),
    Deployment("gw-code-sonnet-4-5", "code-sonnet", "anthropic", "claude-sonnet-4-5", _GW_CODE),
    Deployment("gw-code-sonnet-5", "code-sonnet", "anthropic", "claude-sonnet-5", _GW_CODE),
    Deployment("gw-code-opus-4-5", "code-opus", "anthropic", "claude-opus-4-5", _GW_CODE),
    Deployment("gw-gpt-5", "gpt-5", "openai", "gpt-5", _GW_OPENAI),
    Deployment("gw-gpt-5-mini", "gpt-5-mini", "openai", "gpt-5-mini", _GW_OPENAI),
    Deployment("gw-embed-3-small", "embed-small", "openai", "text-embedding-3-small", _GW_OPENAI),
    Deployment("gw-bedrock-haiku-4-5", "claude-haiku-bedrock", "bedrock",
               "us.anthropic.claude-haiku-4-5-20251001-v1:0", -1),
    Deployment("gw-bedrock-nova-lite", "nova-lite", "bedrock", "amazon.nova-lite-v1:0", -1),
)  # fmt: skip
DEPLOYMENT_INDEX = {d.deployment_id: i for i, d in enumerate(DEPLOYMENTS)}


@dataclass(frozen=True)
class VirtualKey:
    """A key of the gateway: the log shows its hash. `team_id` is the gateway's own team."""

    alias: str
    team: str = ""
    workflow: str = ""
    environment: str = "production"

    @property
    def key_hash(self) -> str:
        """The value of `api_key` in the gateway's log."""
        return token("litellm-key", self.alias, 64)

    @property
    def team_id(self) -> str | None:
        """The gateway's team id; a shared key has none."""
        return f"team-{self.team}" if self.team else None


# One per workflow, one per team for the coding tool, one shared by two teams, one nobody owns.
VIRTUAL_KEYS = (
    *(VirtualKey(f"wf-{w.workflow}", w.team, w.workflow) for w in WORKFLOWS),
    *(VirtualKey(f"code-{t.team}", t.team, CODING_WORKFLOW, "development") for t in TEAMS),
    VirtualKey("shared-experiments"),
    VirtualKey("temp-key-3"),
)
SHARED_KEY = len(VIRTUAL_KEYS) - 2
ORPHAN_KEY = len(VIRTUAL_KEYS) - 1
