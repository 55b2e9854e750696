"""Ray Serve LLM (also in a string of a RayService) and the production stack's Helm values."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.dialects.reading import Reading

SERVE = """applications:
  - args:
      llm_configs:
        - model_loading_config: {model_id: a}
          engine_kwargs:
            enable_prefix_caching: false
            device: auto
"""


def service(body: str) -> str:
    inner = "".join(f"    {line}\n" for line in body.splitlines())
    return f"kind: RayService\nspec:\n  serveConfigV2: |\n{inner}  rayClusterConfig: {{}}\n"


def test_keywords_arrive_as_they_are(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"serve.yaml": SERVE})
    assert reading.arrives("0.18.1")["enable_prefix_caching"] is False
    assert ("unknown", "device") in reading.diagnostics("0.18.1")


def test_yaml_in_a_string_is_edited_in_its_place(tmp_path: Path) -> None:
    text = service(SERVE)
    reading = Reading(tmp_path, {"service.yaml": text}, engine="v1")
    finding = next(f for f in reading.findings if f.option == "device")
    assert text.splitlines()[finding.spot.file.source.position(finding.spot.start).line - 1].strip() == "device: auto"
    reading.fix()
    outer = yaml.safe_load(reading.text("service.yaml"))
    inner = yaml.safe_load(outer["spec"]["serveConfigV2"])
    assert inner["applications"][0]["args"]["llm_configs"][0]["engine_kwargs"] == {"enable_prefix_caching": False}
    assert outer["spec"]["rayClusterConfig"] == {}


def test_yaml_in_a_string_that_is_none_is_silent(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"service.yaml": service("llm_configs: [")})
    assert not reading.engines


def chart(config: str) -> str:
    lines = "".join(f"        {line}\n" for line in config.splitlines())
    return f"servingEngineSpec:\n  modelSpec:\n    - name: a\n      modelURL: a/b\n      vllmConfig:\n{lines}"


def test_the_template_switches_prefix_caching_off_when_it_is_absent(tmp_path: Path) -> None:
    arrives = Reading(tmp_path, {"values.yaml": chart("dtype: bfloat16\n")}).arrives("0.18.1")
    assert arrives["enable_prefix_caching"] is False and arrives["model"] == "a/b"


def test_typed_keys_and_the_arguments_behind_them(tmp_path: Path) -> None:
    text = chart(
        "enablePrefixCaching: true\nenableChunkedPrefill: false\nextraArgs: [--no-enable-prefix-caching, --seed=3]\n"
    )
    reading = Reading(tmp_path, {"values.yaml": text})
    arrives = reading.arrives("0.18.1")
    assert (arrives["enable_prefix_caching"], arrives["enable_chunked_prefill"], arrives["seed"]) == (False, False, 3)


def test_v0_is_the_environment_variable(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"values.yaml": chart('v0: "1"\n')})
    assert "engine-v0-removed" in reading.names_of()


def test_pins_go_to_extra_arguments(tmp_path: Path) -> None:
    text = chart("v0: 1\nextraArgs:\n  - --disable-log-requests\n  - --num-scheduler-steps\n  - '8'\n  - --port=80\n")
    reading = Reading(tmp_path, {"values.yaml": text})
    reading.fix()
    config = yaml.safe_load(reading.text("values.yaml"))["servingEngineSpec"]["modelSpec"][0]["vllmConfig"]
    assert "v0" not in config
    assert config["extraArgs"][0] == "--port=80"
    assert set(config["extraArgs"][1:]) == {"--no-async-scheduling", "--logprobs-mode=processed_logprobs"}


def test_a_chart_without_arguments_gets_a_list(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"values.yaml": chart("dtype: bfloat16\nextraArgs: [--seed=1]\n")}, engine="v1")
    reading.fix()
    assert "--no-async-scheduling" in reading.text("values.yaml")


def test_other_charts_are_silent(tmp_path: Path) -> None:
    text = "servingEngineSpec:\n  modelSpec: []\nvllmConfig: {dtype: x}\n"
    assert not Reading(tmp_path, {"values.yaml": text}).engines


RAY = """applications:
  - args:
      llm_configs:
        - model_loading_config: {model_id: policy}
          use_cpu: CPU
          engine_kwargs: {max_num_seqs: 8, enable_auto_tool_choice: true, tool_call_parser: hermes}
"""


@pytest.mark.parametrize(("cpu", "executor"), [("false", "ray"), ("true", "mp")])
def test_ray_chooses_the_executor(cpu: str, executor: str, tmp_path: Path) -> None:
    """With Ray's own there is no asynchronous scheduling to pin."""
    reading = Reading(tmp_path, {"llm.yaml": RAY.replace("CPU", cpu)}, engine="v1")
    assert reading.arrives("0.18.1")["distributed_executor_backend"] == executor
    assert ("async-scheduling-default" in reading.names_of()) is (executor == "mp")
    assert not reading.diagnostics("0.18.1")


def test_ray_refuses_a_model_among_the_engines_keywords(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"llm.yaml": RAY.replace("max_num_seqs: 8", "model: org/m")}, engine="v1")
    assert ("duplicate", "model") in reading.diagnostics("0.18.1")
