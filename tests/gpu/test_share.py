"""The plan for GPUs: who gets how much, what is decided, and what an error says to change."""

from __future__ import annotations

from typing import Any

import pytest

from synth.gpu import DoesNotFit, Gpu, Serving, Training, share
from synth.gpu.share import ASLEEP, MOST, SPARE
from synth.gpu.sizes import GIB


def gpus(count: int = 1, gib: float = 24, taken: float = 0.0) -> list[Gpu]:
    total = int(gib * GIB)
    return [Gpu(str(n), f"GPU-{n}", "a card", total, total - int(taken * GIB)) for n in range(count)]


def server(role: str = "student", weights: float = 4, **more: Any) -> Serving:
    """One of `weights` GiB, with 1 GiB of working memory and 1 GiB of cache for a text of full length."""
    given = {"work": GIB, "token": GIB / 1024, "longest": 1024, **more}
    return Serving(role, f"the {role}'s model", weights * GIB, **given)


def training(weights: float, activations: float = 1, **more: Any) -> Training:
    return Training("student", weights * GIB, activations * GIB, said="as written", **more)


def test_what_is_left_holds_equally_many_tokens() -> None:
    """Beyond their least, two servers' caches grow by the same number of tokens, however large a token is."""
    big, small = server("teacher", 6, token=3 * GIB / 1024), server("student", 2)
    placed = share([small, big], [], gpus(), ram=0).servers
    shares = {role: each[0].share * 24 * GIB for role, each in placed.items()}
    tokens = {one.role: (shares[one.role] - one.weights - one.work) / one.token for one in (big, small)}
    assert tokens["teacher"] == pytest.approx(tokens["student"], rel=0.01) and tokens["student"] > 1024
    assert sum(shares.values()) <= (1 - SPARE) * 24 * GIB
    (alone,) = share([small], [], gpus(), ram=0).servers["student"]
    assert alone.share == MOST, "never more than vLLM itself takes"


@pytest.mark.parametrize(
    ("weights", "ram", "mode"),
    [(1, 99, "side-by-side"), (12, 99, "sleep"), (12, 3, "turns"), (22, 99, "turns")],
)
def test_auto_takes_the_first_that_fits(weights: float, ram: float, mode: str) -> None:
    """Beside the servers where their caches stay ample, in their sleep where RAM holds their weights, else by
    turns: a training that needs what sleeping servers keep."""
    one = server(longest=256)
    found = share([one], [training(weights)], gpus(), ram=ram * GIB)
    assert found.mode == mode
    assert found.said[-1].startswith("training the student: up to ")


def test_weights_that_change_need_no_ram() -> None:
    """They are dropped as the server falls asleep, and read again from the new student."""
    assert share([server(changes=True)], [training(14)], gpus(), ram=0).mode == "sleep"
    with pytest.raises(
        DoesNotFit, match=r"keep 4.0 GiB of weights .* has 1.0 GiB free; write gpu.share: turns"
    ):
        share([server()], [training(14)], gpus(), ram=GIB, wanted="sleep")


def test_without_a_training_nothing_has_to_sleep() -> None:
    """A flow that only makes data keeps its servers up, and they may take all."""
    assert share([server(weights=19)], [], gpus(), ram=0, wanted="auto").mode == "side-by-side"


def test_servers_that_do_not_fit_are_named_with_their_needs() -> None:
    """Each with its weights and its cache; the GPU with what is free of it; and what to change."""
    with pytest.raises(DoesNotFit) as hit:
        share([server("student", 14), server("teacher", 8)], [training(1)], gpus(taken=1.5), ram=99 * GIB)
    assert "the teacher's model (teacher) 10.0 GiB (8.0 of weights, 1.0 of cache for one text of 1024" in str(
        hit.value
    )
    assert "GPU 0 (a card, 22.5 of 24.0 GiB free)" in hit.value.what
    assert "server.max_model_len" in hit.value.cure and "synth doctor" in hit.value.cure
    assert hit.value.exit_code == 5


def test_a_training_that_cannot_fit_is_refused_before_anything_starts() -> None:
    """Not after hours of generating; half of the activations is given the benefit of the doubt."""
    with pytest.raises(
        DoesNotFit, match=r"training the student needs about 31.0 GiB .*as written: 30.0 for"
    ) as hit:
        share([server()], [training(30)], gpus(), ram=99 * GIB)
    assert "train.lora" in hit.value.cure
    assert share([server()], [training(23, activations=1.9)], gpus(), ram=99 * GIB).mode == "turns"


def test_shares_in_the_flow_file_are_kept_and_checked() -> None:
    """A share that is written is neither raised nor lowered, and one that cannot work is refused."""
    fixed, free = server("teacher", wanted=0.5), server("student")
    placed = share([fixed, free], [], gpus(), ram=0).servers
    assert placed["teacher"][0].share == 0.5
    assert placed["student"][0].share == pytest.approx(0.5 - SPARE, abs=0.002)
    with pytest.raises(
        DoesNotFit, match=r"gpu_memory_utilization: 0.1, which is 2.4 GiB, and needs about 6.0"
    ):
        share([server("teacher", wanted=0.1)], [], gpus(), ram=0)
    with pytest.raises(DoesNotFit, match=r"as its server.gpu_memory_utilization says"):
        share([server("teacher", wanted=0.9), free], [], gpus(), ram=0)


def test_replicas_and_parallel_servers_get_gpus_of_their_own() -> None:
    """A wide server's parts and its replicas lie on different GPUs, a small one where most is left."""
    wide = server("teacher", 10, width=2, replicas=1)
    many = server("judge", 3, replicas=3)
    placed = share([wide, many, server("student", 2)], [], gpus(4), ram=0).servers
    assert [each.gpus for each in placed["teacher"]] == [("0", "1")]
    assert sorted(each.gpus for each in placed["judge"]) == [("0",), ("2",), ("3",)]
    assert placed["student"][0].gpus in [("1",), ("2",), ("3",)]
    with pytest.raises(DoesNotFit, match="wants 3 servers of 2 GPUs each, and 4 can be used"):
        share([server(width=2, replicas=3)], [], gpus(4), ram=0)


def test_a_sleeping_server_keeps_something_of_every_gpu_it_is_on() -> None:
    """Two of them leave less to a training than one."""
    room = 24 - ASLEEP / GIB - 0.5
    assert share([server()], [training(room - 0.1, 0)], gpus(), ram=99 * GIB).mode == "sleep"
    two = [server(), server("teacher")]
    assert share(two, [training(room - 0.1, 0)], gpus(), ram=99 * GIB).mode == "turns"


def test_a_vllm_inside_the_training_counts() -> None:
    """`grpo.vllm` takes its share beside the weights."""
    assert share([server()], [training(12)], gpus(), ram=99 * GIB).mode == "sleep"
    with pytest.raises(DoesNotFit, match="training the student"):
        share([server()], [training(12, own_share=0.6)], gpus(), ram=99 * GIB)
