"""What `${X:-default}` runs with unless the caller sets another: judged, and said to be assumed."""

from __future__ import annotations

import pytest

from vllm_migrate import effective, lint
from vllm_migrate.report.finding import Finding

COMPOSE = "services:\n  a:\n    image: vllm/vllm-openai:v0.8.5\n    environment:\n{env}    command: {command}\n"
V1 = (
    "export VLLM_USE_V1=${{VLLM_USE_V1:-{0}}}\nvllm serve org/m\n",
    'export VLLM_USE_V1="${{VLLM_USE_V1:-{0}}}"\nvllm serve org/m\n',
    "export VLLM_USE_V1=${{VLLM_USE_V1-{0}}}\nvllm serve org/m\n",
    "VLLM_USE_V1=${{V1:-{0}}} vllm serve org/m\n",
    "V1=${{1:-{0}}}\nexport VLLM_USE_V1=$V1\nvllm serve org/m\n",
    "V1=${{V1:={0}}}\nVLLM_USE_V1=${{V1}} vllm serve org/m\n",
    "export VLLM_USE_V1=${{A:-${{B:-{0}}}}}\nvllm serve org/m\n",
)


def findings(files: dict[str, str], **options: str) -> list[Finding]:
    return list(lint(files={".git/HEAD": "", **files}, **options).findings)


def core(files: dict[str, str]) -> str:
    (engine,) = effective(files={".git/HEAD": "", **files})
    (row,) = [row for row in engine.settings if row.option == "engine"]
    return str(row.source.value)


@pytest.mark.parametrize("text", V1)
@pytest.mark.parametrize("value", ["0", "1"])
def test_the_default_decides_which_core_ran(text: str, value: str) -> None:
    files = {"serve.sh": text.format(value)}
    assert core(files) == f"v{value}"
    found = findings(files)
    codes = {finding.code for finding in found}
    assert "VM120" not in codes and ("VM201" in codes) is (value == "0")
    for finding in found:
        if finding.code in ("VM101", "VM401"):  # these hang on the core
            assert any("what the caller sets in place of" in why for why in finding.depends_on), finding.code
        assert finding.fix is None or finding.fix.safety != "safe"


@pytest.mark.parametrize(
    "env",
    [
        "      VLLM_USE_V1: ${VLLM_USE_V1:-0}\n",
        "      - VLLM_USE_V1=${VLLM_USE_V1:-0}\n",
        '      VLLM_USE_V1: "${V:-0}"\n',
    ],
)
@pytest.mark.parametrize("command", ["--model org/m", '["--model", "org/m"]'])
def test_compose_too(env: str, command: str) -> None:
    files = {"compose.yaml": COMPOSE.format(env=env, command=command)}
    assert core(files) == "v0"
    found = {finding.code: finding for finding in findings(files)}
    assert "VM120" not in found
    assert found["VM401"].depends_on and found["VM401"].fix is not None and found["VM401"].fix.safety == "review"


@pytest.mark.parametrize(
    "text",
    [
        "export VLLM_USE_V1=$VLLM_USE_V1\nvllm serve org/m\n",
        "export VLLM_USE_V1=${VLLM_USE_V1:-}\nvllm serve org/m\n",
        'if [ -n "$A" ]; then V1=0; fi\nexport VLLM_USE_V1=${V1:-1}\nvllm serve org/m\n',
        "V1=$(cat v1)\nexport VLLM_USE_V1=${V1:-1}\nvllm serve org/m\n",
        "export VLLM_USE_V1=${VLLM_USE_V1:-$(cat v1)}\nvllm serve org/m\n",
    ],
)
def test_what_the_script_itself_may_have_set_stays_open(text: str) -> None:
    assert "VM120" in {finding.code for finding in findings({"serve.sh": text})}


@pytest.mark.parametrize("option", ["--swap-space ${SWAP:-4}", '--swap-space "${SWAP:-4}"', "--swap-space=${SWAP:-4}"])
def test_an_option_with_a_default_is_judged(option: str) -> None:
    """What goes whatever its value is goes as it always did."""
    files = {".git/HEAD": "", "serve.sh": f"vllm serve org/m {option}\n"}
    (found,) = [finding for finding in findings(files) if finding.code == "VM202"]
    assert not found.depends_on and found.fix is not None and found.fix.safety == "safe"


@pytest.mark.parametrize("extra", ["${EXTRA:-}", "${EXTRA:---enforce-eager --seed 1}", "$EXTRA"])
def test_several_words_stay_open(extra: str) -> None:
    """An unquoted default of several words is as many options as the caller likes."""
    found = findings({"serve.sh": f"VLLM_USE_V1=0 vllm serve org/m {extra}\n"})
    assert not [f for f in found if f.fix is not None and f.fix.safety == "safe"]
