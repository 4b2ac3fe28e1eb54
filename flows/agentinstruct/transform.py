"""The first flow: a seed becomes a text, or a list of functions, that tasks can be written about."""

from __future__ import annotations

from typing import Any

import orjson
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from synth.chat import Dropped
from synth.engine import Context
from synth.flows.agentinstruct.agents import Agents
from synth.flows.agentinstruct.item import Making
from synth.flows.agentinstruct.params import Params
from synth.flows.agentinstruct.shelf import Shelf
from synth.flows.agentinstruct.simulate import Api, Apis, schema_of
from synth.flows.agentinstruct.skill import Skill

__all__ = ["apis_of", "transform_graph"]

GROWTH = 2
"""Times a list of functions is grown."""


def transform_graph(params: Params, skills: dict[str, Skill]) -> Any:
    """copy, transform, or describe -> grow, by the seed's transformation."""
    agents = Agents(params)

    def way(state: Making) -> str:
        return {"copy": "copy", "apis": "describe", "text": "rewrite"}[_of(state, skills)[1].makes]

    async def copy(state: Making) -> Making:
        return {"text": state["seed"].data["passage"]["text"]}

    async def rewrite(state: Making, runtime: Runtime[Context]) -> Making:
        skill, change = _of(state, skills)
        seed_text = state["seed"].data["passage"]["text"]
        said = await agents.transform(runtime.context, skill=skill, transformation=change, text=seed_text)
        if len(said.text.split()) < 5:
            raise Dropped(
                "empty-text", "rewrite", "the transformation left nothing", said.text, data=_data(state)
            )
        return {"text": said.text.strip()}

    async def describe(state: Making, runtime: Runtime[Context]) -> Making:
        skill, change = _of(state, skills)
        said = await agents.describe_apis(
            runtime.context,
            skill=skill,
            transformation=change,
            text=state["seed"].data["passage"]["text"],
            known=[],
            more="",
        )
        return {"text": _written(said.apis, state)}

    async def grow(state: Making, runtime: Runtime[Context]) -> Making:
        skill, change = _of(state, skills)
        shelf: Shelf = runtime.context.extras["shelf"]
        apis, text = apis_of(state["text"]), state["seed"].data["passage"]["text"]
        for turn in range(GROWTH if change.grow else 0):
            wanted = " ".join(f"{api.name} {api.description}" for api in apis)
            more = shelf.nearest(wanted, skip=text, rank=turn) if change.grow == "retrieve" else ""
            said = await agents.describe_apis(
                runtime.context,
                sample=turn,
                skill=skill,
                transformation=change,
                text=text,
                known=apis,
                more=more,
            )
            names = {api.name for api in apis}
            apis += [api for api in said.apis if api.name not in names]
        return {"text": _written(apis, state)}

    builder = StateGraph(Making, context_schema=Context)
    for name, node in (("copy", copy), ("rewrite", rewrite), ("describe", describe), ("grow", grow)):
        builder.add_node(name, node)
    builder.add_conditional_edges(START, way, ["copy", "rewrite", "describe"])
    builder.add_edge("describe", "grow")
    for name in ("copy", "rewrite", "grow"):
        builder.add_edge(name, END)
    return builder.compile(name="agentinstruct-transform")


def apis_of(text: str) -> list[Api]:
    """The functions a text describes, as `describe` wrote it."""
    return Apis.model_validate_json(text).apis


def _written(apis: list[Api], state: Making) -> str:
    """The functions as text; those whose description is no schema are left out."""
    sound = {api.name: api for api in apis if api.name.isidentifier() and _is_schema(api)}
    if not sound:
        raise Dropped(
            "no-api", "describe", "no function is described that could be called", data=_data(state)
        )
    return orjson.dumps(Apis(apis=list(sound.values())).model_dump(), option=orjson.OPT_INDENT_2).decode()


def _is_schema(api: Api) -> bool:
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(schema_of(api)["parameters"])
    except jsonschema.SchemaError:
        return False
    return True


def _of(state: Making, skills: dict[str, Skill]) -> Any:
    data = state["seed"].data
    skill = skills[data["skill"]]
    return skill, skill.transformation(data["transformation"])


def _data(state: Making) -> dict[str, Any]:
    return {"skill": state["seed"].data["skill"], "type": ""}
