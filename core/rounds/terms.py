"""Terms on what models write: found for every role, and carried by every sample that was made with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from synth.config import FlowFile, ModelSpec
from synth.config.roles import Scratch
from synth.records import Sample
from synth.teachers.models.aliases import find

__all__ = ["terms_on", "with_terms"]

SERVICES = {
    "api.openai.com": "OpenAI-terms",
    "api.anthropic.com": "Anthropic-terms",
    "generativelanguage.googleapis.com": "Gemini-API-terms",
}
"""Hosts whose terms of service bind whoever asks there, whatever the model."""
OURS = "Apache-2.0"


def terms_on(spec: ModelSpec) -> str:
    """What is written in the flow file, else what is known; empty where nothing is.

    Known are three services, the models of the table of aliases by the licence of their weights, and the
    project's own programs and models.
    """
    if spec.terms:
        return spec.terms
    hosts = {urlsplit(address).hostname for address in spec.addresses}
    if services := sorted(SERVICES[host] for host in hosts & SERVICES.keys() if host):
        return services[0]
    if isinstance(spec.model, Scratch) or (spec.program or "").startswith("synth."):
        return OURS
    alias = find(spec.model) if spec.model else None
    return alias.licence if alias else ""


def with_terms(flow: FlowFile, samples: Iterable[Sample]) -> Iterator[Sample]:
    """The samples, each with the terms of the models that were called for it."""
    known: dict[str, str] = {}
    for spec in flow.models.values():
        known[spec.title] = known.get(spec.title) or terms_on(spec)
    for sample in samples:
        models = dict.fromkeys(call.model for call in sample.lineage.calls)
        terms = {name: known.get(name, "") for name in models}
        yield sample.model_copy(update={"terms": terms}) if terms != sample.terms else sample
