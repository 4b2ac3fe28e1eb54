"""One round after the other: exam, data, training, exam, gate; and what the next one starts from."""

from __future__ import annotations

from synth.engine.flow import NO_TRAINING, Flow
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.measure.gate import Decision
from synth.report import write_report
from synth.rounds.exam import exam, guard_exams
from synth.rounds.lesson import Champion, Champions, learn
from synth.rounds.material import make_data
from synth.rounds.mix import mix
from synth.rounds.outcome import Seen, decision_of, pace, untrained_decision, write_plan
from synth.runs.recording import Recording
from synth.students.card import add_evaluation
from synth.teachers.team import Team

__all__ = ["play_rounds"]


async def play_rounds(
    session: Session, flow: Flow, team: Team, recording: Recording | None
) -> list[Decision]:
    """All rounds of a run, or those that are left; the gates' decisions. Raises `SynthError`."""
    champions = {
        role: Champion(0, team.models[role].weights, team.models[role].served, None)
        for role in session.flow.learning
    }
    decisions: list[Decision] = []
    for number in range(1, session.flow.rounds + 1):
        session.round = number
        session.pace, session.sources.mixed = pace(session.flow.gate, decisions), {}
        if session.flow.generate_only:
            await _data_alone(session, flow, team)
            continue
        decision, challengers = await _round(session, flow, team, champions, recording)
        decisions.append(decision)
        if decision.decision == "promote":
            champions |= challengers
            continue
        for role in challengers:
            back = champions[role]
            await team.swap_back(role, back.folder, back.weights, back.served)
        if session.flow.gate.on_reject == "stop":
            break
    return decisions


async def _data_alone(session: Session, flow: Flow, team: Team) -> None:
    """A round that ends with its data."""
    await mix(session)
    await make_data(session, flow, team)
    write_report(session.folder.path)


async def _round(
    session: Session, flow: Flow, team: Team, champions: Champions, recording: Recording | None
) -> tuple[Decision, Champions]:
    """One round; returns the gate's decision, and who would answer for the roles that learned."""
    session.train = flow.training(session) if flow.training else session.flow.train
    write_plan(session, champions)
    before = await exam(session, "before")
    if session.params.arm == NO_TRAINING:
        anew = await exam(session, "after", sample=1)
        return _noted_gate(session, untrained_decision(session, before, anew)), {}
    again = await exam(session, "again", sample=1) if session.flow.gate.noise else None
    guards = await guard_exams(session, "before")
    await mix(session)
    curated = await make_data(session, flow, team)
    challengers = {
        role: await learn(session, team, role, champion, recording)
        for role, champion in champions.items()
        if curated.of(role)
    }
    await team.check()
    session.begin("serve")
    for role, new in challengers.items():
        assert new.folder is not None
        await team.swap_in(role, new.folder, new.weights, new.served)
    await team.wake()
    session.finish("serve", {"items": len(challengers), "served": challengers["student"].served})
    after, guards_after = await exam(session, "after"), await guard_exams(session, "after")
    decision = decision_of(session, Seen(before, after, guards, guards_after, again))
    for new in challengers.values():
        assert new.folder is not None
        add_evaluation(new.folder, decision.model_dump(mode="json"))
    return _noted_gate(session, decision), challengers


def _noted_gate(session: Session, decision: Decision) -> Decision:
    """The decision, written down and told."""
    session.begin("gate")
    RunFolder.write_json(session.folder.round(session.round) / "gate.json", decision)
    session.finish("gate", {"decision": decision.decision, "p_value": decision.p_value})
    session.progress.log(decision.reason)
    write_report(session.folder.path)
    return decision
