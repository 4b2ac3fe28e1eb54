"""The flow file as typed models: what may be written, with defaults and limits.

The YAML is read by `synth.config.load`; the JSON Schema and the reference page are made
from these classes. `with` belongs to the flow, which types it with a model of its own.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

__all__ = [
    "Budget",
    "CollapseRules",
    "DataSource",
    "Dpo",
    "ErrorBudget",
    "Evaluate",
    "FlowFile",
    "Gate",
    "Guard",
    "Lora",
    "ModelSpec",
    "OnError",
    "Prices",
    "Scratch",
    "ServerOptions",
    "Strict",
    "TokenPrice",
    "Train",
    "WarmStart",
]


class Strict(BaseModel):
    """Base of every section: unknown keys are refused.

    A validator's message is "what is wrong; what to do", in plain words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Scratch(Strict):
    """A small model trained from nothing on the run's own task families."""

    scratch: Literal["tiny"]
    """`tiny`: about 0.4 million parameters, bytes as tokens."""
    seed: int = 0
    """Seed of its initial weights and of its base training data."""
    steps: int = Field(default=300, gt=0)
    """Optimiser steps of its base training."""


class ServerOptions(Strict):
    """How a locally served model is started; what is left out is chosen for the machine."""

    port: int | None = Field(default=None, ge=1, le=65535)
    """Fixed port; by default a free one is taken."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """`auto`: float32 on a CPU, bfloat16 on a GPU."""
    max_model_len: int | None = Field(default=None, gt=0)
    """Longest prompt plus answer in tokens; by default the model's own limit, at most 2048 on a CPU."""
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1)
    """Share of the GPU's memory the server may take."""
    kv_cache_gib: int = Field(default=2, gt=0)
    """Memory for the KV cache on a CPU, in GiB."""
    tensor_parallel_size: int = Field(default=1, gt=0)
    args: tuple[str, ...] = ()
    """Further arguments passed to the server as they are."""

    @field_validator("args")
    @classmethod
    def _no_key(cls, args: tuple[str, ...]) -> tuple[str, ...]:
        if any(arg.startswith("--api-key") for arg in args):
            raise ValueError("a key may not stand in the flow file; leave it out, a local server needs none")
        return args


class ModelSpec(Strict):
    """Who plays a role: a model served locally, an endpoint, or a program. Exactly one."""

    model: str | Scratch | None = None
    """An alias, a hub id, a local folder, or `{scratch: tiny}`; with `base_url` the served name."""
    base_url: str | None = None
    """Root of an OpenAI-compatible endpoint, such as http://127.0.0.1:8000/v1."""
    api_key: str | None = None
    """`env:NAME`: the environment variable that holds the key. A key itself is refused."""
    program: str | None = None
    """`module:function`: a Python function from messages to text."""
    api: Literal["chat", "pooling", "classify", "embeddings"] = "chat"
    """What it is asked for: text, or (of vLLM's pooling models) scores and vectors, as JSON lists."""
    server: ServerOptions = ServerOptions()
    concurrency: int | None = Field(default=None, gt=0)
    """Calls in flight; by default it finds its own level."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds one call may take, counted from sending."""

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("this is not a web address; write the root, such as http://127.0.0.1:8000/v1")
        if "@" in parts.netloc or parts.query:
            raise ValueError("an address may hold no password and no query; write 'api_key: env:NAME'")
        return url

    @field_validator("api_key")
    @classmethod
    def _only_named(cls, key: str | None) -> str | None:
        if key is not None and not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*", key):
            raise ValueError(
                "a key itself may not stand in the flow file; write env:NAME, the variable that holds it"
            )
        return key

    @model_validator(mode="after")
    def _one_kind(self) -> ModelSpec:
        if self.program is not None and (self.model is not None or self.base_url is not None):
            raise ValueError(
                "a role is played by a program or by a model, not by both; "
                "keep one (an overlay drops the other with null, as in 'model: null')"
            )
        if self.program is None and self.model is None:
            raise ValueError("nobody plays this role; write model, base_url with model, or program")
        if self.base_url is not None and not isinstance(self.model, str):
            raise ValueError("an endpoint needs a model; write the name it serves under 'model'")
        return self

    @property
    def kind(self) -> Literal["local", "endpoint", "program"]:
        """Which of the three this is."""
        if self.program is not None:
            return "program"
        return "endpoint" if self.base_url is not None else "local"

    @property
    def title(self) -> str:
        """What the model is called in the journal and in price tables."""
        if isinstance(self.model, Scratch):
            return f"scratch-{self.model.scratch}"
        return self.program or str(self.model)


class DataSource(Strict):
    """Where questions come from: task families, or a file, folder or hub data set."""

    source: str
    """`tasks`, `instructions` or `topics` (procedural), a path (jsonl, parquet, csv), or `hub:owner/name`."""
    families: tuple[str, ...] = ()
    """Task families to draw from, of `instructions` constraint types or groups (IFEval ids); all that
    are cheap to check when empty. Only for built-in sources."""
    constraints: int = Field(default=1, gt=0)
    """Most constraints a prompt of `instructions` has."""
    size: int | None = Field(default=None, gt=0)
    """Items to take; for built-in sources items per family."""
    seed: int = 0
    """Seed of procedural items and of the draw when `size` is less than what is there."""
    split: str = "train"
    """Split of a hub data set; of the built-in topics `train` or `test`, which share no topic."""
    config: str | None = None
    """Configuration (subset) of a hub data set."""
    question: str = "question"
    """Field that holds the question."""
    answer: str | None = "answer"
    """Field that holds the answer; `null` for prompts that have no known answer."""
    shape: Literal["questions", "conversations"] = "questions"
    """`conversations`: rows are whole dialogues."""
    skill: str | None = None
    """Field that holds the skill or subject, if there is one."""
    answer_after: str | None = None
    """Take only what follows the last occurrence of this mark in the answer (GSM8K: `####`)."""
    kind: Literal["number", "word", "list", "choice", "math", "text"] = "text"
    """What an answer looks like; task families know their own."""
    licence: str = ""
    """Licence of the data, carried by every record made from it."""


class Lora(Strict):
    """Low-rank adapters (arXiv 2106.09685)."""

    r: int = Field(default=16, gt=0)
    alpha: int = Field(default=32, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    layers: int | None = Field(default=None, gt=0)
    """Adapt only the top N layers; all when left out."""


DpoLoss = Literal[
    "sigmoid",
    "hinge",
    "ipo",
    "exo_pair",
    "nca_pair",
    "robust",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sft",
    "sigmoid_norm",
]


class Dpo(Strict):
    """Direct preference optimisation (arXiv 2305.18290) and its relatives."""

    beta: float = Field(default=0.1, gt=0)
    """Strength of the pull towards the reference; 5 to 10 where log-probabilities are averaged."""
    loss: DpoLoss = "sigmoid"
    """TRL's name of the loss."""
    length_normalised: bool = False
    """Log-probabilities averaged over an answer's tokens instead of summed (arXiv 2507.06187).
    Only for the `sigmoid` loss."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """Share of pairs taken to be the wrong way round; only for `robust` (0.1) and `exo_pair` (0.001)."""
    nll: float = Field(default=0.0, ge=0)
    """Weight of the chosen answer's negative log-likelihood (mean over its tokens), added to the loss."""
    stop_when_both_fall: float | None = Field(default=None, gt=0)
    """Training stops once both answers lost so many nats a token against the start."""

    @model_validator(mode="after")
    def _losses_go_together(self) -> Dpo:
        if self.length_normalised and self.loss not in ("sigmoid", "sigmoid_norm"):
            raise ValueError(f"'{self.loss}' has no averaged form; write 'loss: sigmoid', or leave it out")
        if self.loss == "exo_pair" and not self.label_smoothing:
            raise ValueError("'exo_pair' needs some label_smoothing; write 'label_smoothing: 0.001'")
        return self


class Train(Strict):
    """How a model learns. Rates and counts are per optimiser step."""

    objective: Literal["sft", "dpo"] = "sft"
    dpo: Dpo = Dpo()
    """Only for `objective: dpo`."""
    lora: Lora | None = Lora()
    """`null` trains all weights."""
    learning_rate: float = Field(default=1e-4, gt=0)
    epochs: float = Field(default=1.0, gt=0)
    batch_size: int = Field(default=8, gt=0)
    gradient_accumulation: int = Field(default=1, gt=0)
    warmup_ratio: float = Field(default=0.03, ge=0, lt=1)
    scheduler: Literal["constant", "linear", "cosine", "constant_with_warmup"] = "cosine"
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    max_length: int = Field(default=1024, gt=0)
    """Tokens of prompt plus answer; longer examples are rejected, never cut silently."""
    packing: bool = False
    save_steps: int = Field(default=50, gt=0)
    """A checkpoint every so many steps, to go on from after a crash."""
    seed: int = 0
    threads: int | None = Field(default=None, gt=0)
    """CPU threads; by default all."""


VERIFIERS = ("answer", "math", "constraints")
"""The built-in ones."""


class Evaluate(Strict):
    """How the student is measured."""

    verifier: str = "answer"
    """`answer` reads the answer by its kind; `math` compares mathematical expressions;
    `constraints` checks IFEval's constraints; `module:function` is your own."""
    max_tokens: int = Field(default=64, gt=0)
    system: str | None = None
    """System message put before every question, in training and in evaluation."""
    prompt: str = "{question}"
    """How a question is put to the student; must contain `{question}`."""

    @field_validator("verifier")
    @classmethod
    def _known_verifier(cls, verifier: str) -> str:
        if verifier not in VERIFIERS and not re.fullmatch(r"[\w.]+:\w+", verifier):
            known = ", ".join(VERIFIERS)
            raise ValueError(f"'{verifier}' is no verifier; write {known}, or module:function")
        return verifier

    @field_validator("prompt")
    @classmethod
    def _has_question(cls, prompt: str) -> str:
        if "{question}" not in prompt:
            raise ValueError("the prompt leaves no place for the question; write {question} where it goes")
        return prompt


class Guard(Strict):
    """A further held-out source on which a new student may not fall."""

    data: str
    """Name of the data source; nothing is trained on it."""
    margin: float = Field(default=0.02, gt=0, lt=1)
    """The fall that must be ruled out: a share of the items, of a mean score in its unit."""


class Gate(Strict):
    """When a new student replaces the current one."""

    metric: Literal["accuracy", "strict_accuracy", "score"] = "accuracy"
    test: Literal["mcnemar", "bootstrap", "wilcoxon"] = "mcnemar"
    alpha: float = Field(default=0.05, gt=0, lt=1)
    promote: Literal["if-better", "always"] = "if-better"
    """`always`: every round's student goes on, as in papers that iterate without a gate."""
    on_reject: Literal["stop", "continue", "halve_lr"] = "continue"
    """After a round that is not let through: end the run, go on alike, or halve the learning rates of
    the next round. They are whole again after a round that is."""
    guards: dict[str, Guard] = Field(default_factory=dict)
    """Name -> suite on which a fall by more than its margin must be ruled out, whatever `promote` says."""
    noise: bool = False
    """Examine the current student twice, and say how many answers turn without any training."""
    spend: Literal["none", "bonferroni"] = "none"
    """`bonferroni`: alpha is divided by `rounds`, so that looking every round costs nothing."""

    @field_validator("guards")
    @classmethod
    def _guards_are_named(cls, guards: dict[str, Guard]) -> dict[str, Guard]:
        for name in guards:
            if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name):
                raise ValueError(
                    f"a guard's name is part of file names, and '{name}' cannot be; write a word"
                )
        return guards

    @model_validator(mode="after")
    def _test_fits(self) -> Gate:
        if self.metric == "score" and self.test == "mcnemar":
            raise ValueError("mcnemar counts right and wrong; for a score write test: wilcoxon or bootstrap")
        if self.metric != "score" and self.test == "wilcoxon":
            raise ValueError("wilcoxon ranks scores; for right and wrong write test: mcnemar or bootstrap")
        return self


class CollapseRules(Strict):
    """When a round's data end the run, before training. Each is off unless it is written."""

    min_distinct: float | None = Field(default=None, gt=0)
    """Least distinct n-grams (EAD) of the examples."""
    max_length_drift: float | None = Field(default=None, gt=0)
    """Most the mean answer length may differ from round 1's, as a share of it."""
    max_repeated: float | None = Field(default=None, ge=0, le=1)
    """Largest share of examples that repeat, or nearly, one of an earlier round."""


class WarmStart(Strict):
    """Training of the student before round 1, on answers a program gives; done once and kept in the cache."""

    data: str
    """Name of the data source whose questions are answered."""
    program: str
    """`module:function` that answers them."""
    samples: int = Field(default=1, gt=0)
    """Answers to each question."""
    train: Train = Train(lora=None, learning_rate=2e-5)
    """All weights, by `sft`. A scratch model has its base training on these data instead."""

    @field_validator("train")
    @classmethod
    def _whole_weights(cls, train: Train) -> Train:
        if train.lora is not None or train.objective != "sft":
            raise ValueError(
                "a warm start makes a new base model; write 'objective: sft' and 'lora: null' under it"
            )
        return train


class TokenPrice(Strict):
    """What a role's calls cost, in money per million tokens."""

    prompt: float = Field(default=0.0, ge=0)
    """Money per million prompt tokens."""
    completion: float = Field(default=0.0, ge=0)
    """Money per million completion tokens."""


class Prices(Strict):
    """What calls cost: for the ledger, for `budget.money` and for `synth plan`."""

    currency: str = "USD"
    """What money is called; all prices are in it."""
    gpu_hour: float = Field(default=0.0, ge=0)
    """Money for one GPU for one hour, counted while the run works with local models on GPUs."""
    tokens: dict[str, TokenPrice] = Field(default_factory=dict)
    """Role or model name -> money per million tokens; a role's price goes before its model's."""

    @property
    def known(self) -> bool:
        """Whether anything has a price."""
        return bool(self.tokens) or self.gpu_hour > 0


class Budget(Strict):
    """Hard limits; the run stops at a clean point and goes on when they are raised."""

    tokens: int | None = Field(default=None, gt=0)
    """Prompt plus completion tokens of all paid calls."""
    hours: float | None = Field(default=None, gt=0)
    """Hours of work, added up over all starts of the run; the time between them does not count."""
    money: float | None = Field(default=None, gt=0)
    """Money in the currency of `prices`, for tokens and GPU-hours."""
    train_tokens: int | None = Field(default=None, gt=0)
    """Tokens of training data a round may use; arms compared at equal size share it."""


class ErrorBudget(Strict):
    """A share of records that may fail before a stage stops."""

    budget: Annotated[str, Field(pattern=r"^\d{1,3}(\.\d+)?\s?%$")]
    """Such as `5%`."""

    @property
    def share(self) -> float:
        """The budget as a share, 0..1."""
        return float(self.budget.rstrip("% ")) / 100


OnError = Literal["stop", "continue"] | ErrorBudget


class FlowFile(Strict):
    """One flow file, resolved: what `runs/<name>/flow.yaml` holds."""

    flow: str
    """A built-in flow's name, or `package.module:build`."""
    name: str | None = None
    """Name of the run; by default the flow file's."""
    seed: int = 0
    rounds: Annotated[int, Field(gt=0)] = 1
    models: dict[str, ModelSpec]
    """Role -> who plays it. `student` is required where the flow trains one."""
    data: dict[str, DataSource] = Field(default_factory=dict)
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    """The flow's own parameters."""
    warm_start: WarmStart | None = None
    """What the student learns before round 1; the student so made is the base of all comparisons."""
    train: Train = Train()
    learners: dict[str, Train] = Field(default_factory=dict)
    """Role -> how it learns, for further roles that a round trains beside the student."""
    evaluate: Evaluate = Evaluate()
    gate: Gate = Gate()
    collapse: CollapseRules = CollapseRules()
    """When a round's data are so uniform that the run ends before it trains on them."""
    prices: Prices = Prices()
    budget: Budget = Budget()
    on_error: OnError = "continue"
    """What failed records (calls without an answer, crashed nodes, unreadable replies) do to a
    stage: `stop` at the first, `continue` to the end, or `{budget: 5%}`. All are kept as rejections."""
    profiles: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Named overlays of this file, chosen with `--profile NAME`."""

    @property
    def held_out(self) -> tuple[str, ...]:
        """Sources of this file that nothing is trained on, the one that must be kept cleanest first."""
        names = ("test", *(guard.data for guard in self.gate.guards.values()), "profile", "target")
        return tuple(name for name in dict.fromkeys(names) if name in self.data)

    @field_validator("gate")
    @classmethod
    def _guards_have_data(cls, gate: Gate, info: ValidationInfo) -> Gate:
        sources: dict[str, DataSource] = info.data.get("data") or {}
        for name, guard in gate.guards.items():
            if guard.data in ("test", "pool"):
                raise ValueError(
                    f"the guard '{name}' watches data.{guard.data}; give it a source of its own under data"
                )
            if sources and guard.data not in sources:
                raise ValueError(f"there is no data.{guard.data}; name one of: {', '.join(sources)}")
            if sources and sources[guard.data].shape != "questions":
                raise ValueError(f"data.{guard.data} holds conversations; a guard asks questions")
        return gate

    @field_validator("prices")
    @classmethod
    def _priced_is_used(cls, prices: Prices, info: ValidationInfo) -> Prices:
        specs: dict[str, ModelSpec] = info.data.get("models") or {}
        known = [*specs, *(spec.title for spec in specs.values())]
        unknown = [name for name in prices.tokens if name not in known]
        if specs and unknown:
            named = ", ".join(dict.fromkeys(known))
            raise ValueError(
                f"'{unknown[0]}' is neither a role nor a model of this file; name one of: {named}"
            )
        return prices

    @field_validator("warm_start")
    @classmethod
    def _warmed_by_a_source(cls, warm: WarmStart | None, info: ValidationInfo) -> WarmStart | None:
        sources = info.data.get("data") or {}
        if warm is not None and sources and warm.data not in sources:
            raise ValueError(f"there is no data.{warm.data}; name one of: {', '.join(sources)}")
        return warm

    @field_validator("learners")
    @classmethod
    def _learners_are_roles(cls, learners: dict[str, Train], info: ValidationInfo) -> dict[str, Train]:
        specs: dict[str, ModelSpec] = info.data.get("models") or {}
        for role in learners:
            if role == "student":
                raise ValueError("the student's training stands under 'train'; name other roles here")
            if specs and (role not in specs or specs[role].kind != "local"):
                raise ValueError(f"'{role}' is no locally served role of this file; add it under models")
        return learners

    @field_validator("budget")
    @classmethod
    def _money_has_prices(cls, budget: Budget, info: ValidationInfo) -> Budget:
        prices = info.data.get("prices")
        if budget.money is not None and prices is not None and not prices.known:
            raise ValueError("a budget in money needs prices; write prices.tokens or prices.gpu_hour")
        return budget

    @field_validator("name")
    @classmethod
    def _folder_name(cls, name: str | None) -> str | None:
        if name is not None and (not name or name.startswith(".") or re.search(r"[/\\\x00-\x1f]", name)):
            raise ValueError("the run's folder bears this name; write one without slashes or a leading dot")
        return name
