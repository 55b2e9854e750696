"""The one table of what conditions in rules/ may say: every function, name and fact, where it is valid and what it means.

The build checks conditions against it, docs/vocabulary.md is made from it, and a test holds it against the functions that
evaluate them. Build time only.
"""

from __future__ import annotations

from typing import NamedTuple, get_args

from vllm_migrate.knowledge.records import Each, Layer, Role

# The places of conditions: what a rule is asked of, entries of effective/, named conditions, and three in a dialect.
RULE: tuple[str, ...] = get_args(Each)
NAMED = "named"
RESOLVING = (*RULE, "effective", NAMED)
AT_HAND = ("setting", "key", "fact", "remark", "written", NAMED)
USE = ("use", NAMED)
DEFAULT = ("default", NAMED)
DIALECT = ("dialect", "transport", "pin")

BOOL = (True, False)
# What a fact is: true, false, or nothing where the dialect does not give it.
TELLS = (True, False, None)


class Term(NamedTuple):
    """A name, or with `arguments` a function.

    places: of the conditions that may use it; arguments: the kind of each (see ARGUMENTS), a last one with `*` any number of
    times, with `?` at most once; values: all that it can be, where they can be listed.
    """

    name: str
    means: str
    places: tuple[str, ...]
    arguments: tuple[str, ...] | None = None
    values: tuple[object, ...] = ()


ARGUMENTS = {
    "option": "an option, `sampling.X`, `env.X` or a fact",
    "release": "a release of vLLM, such as '0.14.0'",
    "specifier": "a framework's release, such as '>=0.6.0'",
    "path": "a dotted path in the configuration",
    "text": "a text",
    "use": "the name of a use, as a dialect's `uses` give it",
    "value": "any expression",
    "number": "a position, counted from 0",
}

OPERATORS = {
    "a and b, a or b, not a": "decided as soon as the known parts settle it",
    "a == b, a != b, a < b, a <= b, a > b, a >= b": "comparisons; an order only among numbers, and true is not 1",
    "a in [b, c], a not in [b, c]": "whether it is one of them",
    "a + b": "of numbers or texts",
    "a if b else c": "if b is not known, what a and c have in common",
    "surely(a)": "whether a is known to be true; never undetermined",
}

FUNCTIONS = (
    Term("known", "whether the files decide the value", RESOLVING, ("value",), BOOL),
    Term("maybe", "the value, or true if it is not known: for how much a finding matters", RESOLVING, ("value",)),
    Term("set", "whether the user or the framework sets it", RESOLVING, ("option",), BOOL),
    Term("explicit", "what the user or the framework sets it to, None when neither does", RESOLVING, ("option",)),
    Term("written", "whether the user writes it", RESOLVING, ("option",), BOOL),
    Term("since", "whether the (target) release is that one or newer", RESOLVING, ("release",), BOOL),
    Term("exists", "whether the (target) release has the engine option", RESOLVING, ("option",), BOOL),
    Term("key", "a key of an option that is a mapping, None when it is absent", RESOLVING, ("option", "text")),
    Term("least", "the smallest of the numbers", RESOLVING, ("value", "value*")),
    Term("most", "the largest of the numbers", RESOLVING, ("value", "value*")),
    Term("times", "the product of two numbers", RESOLVING, ("value", "value")),
    Term("rounded", "a number as a tensor of this dtype holds it", RESOLVING, ("value", "value")),
    Term("rounds", "whether storing a number as this dtype changes its float32 value", RESOLVING, ("value", "value"), BOOL),
    Term(
        "generation_default",
        "a sampling parameter's default in override_generation_config, else in the model's generation_config.json",
        RESOLVING,
        ("text",),
    ),
    Term("crosses", "whether a change in that release lies between the two", (*RULE, NAMED), ("release",), BOOL),
    Term("framework", "why the pinned release of the engine's framework cannot run with the target, '' if it can", (*RULE, NAMED), ()),
    Term(
        "refused_since",
        "`crosses`; where no other release is compared, whether the target is that release or newer: for what does not work since",
        (*RULE, NAMED),
        ("release",),
        BOOL,
    ),
    Term(
        "lost_model",
        "the architecture of the model, by its config.json or its name, if the source (or an earlier release, where no other is "
        "compared) has it and the target does not, else ''",
        (*RULE, NAMED),
        (),
    ),
    Term("from_set", "`set` in the source", (*RULE, NAMED), ("option",), BOOL),
    Term("from_since", "`since` of the source", (*RULE, NAMED), ("release",), BOOL),
    Term("arg", "what is passed by that name or in that position, None when nothing is", USE, ("text", "number?")),
    Term("passes", "whether that keyword is passed", USE, ("text",), BOOL),
    Term("ends", "whether that argument, or an item of it, is a name that ends in one of these", USE, ("text", "text*"), BOOL),
    Term("items", "how many items the list has that is passed by that name, 0 for anything else", USE, ("text",)),
    Term("takes", "whether the method has that parameter in the target", USE, ("text",), BOOL),
    Term("from_takes", "`takes` in the source, or if no other release is compared in an earlier one", USE, ("text",), BOOL),
    Term("earlier", "whether one of these uses comes before this one in its function", USE, ("use", "use*"), BOOL),
    Term("later", "whether one of these uses comes after this one in its function", USE, ("use", "use*"), BOOL),
    Term("nearest", "the last of these uses before this one in its function, '' when there is none", USE, ("use", "use*")),
    Term("anywhere", "whether the program has one of these uses", USE, ("use", "use*"), BOOL),
    Term("having", "whether a use of that name passes that value by that keyword", USE, ("use", "text", "value"), BOOL),
    Term("route", "of a route in the target: '' if it is always served, else what it needs; None if there is none", USE, ()),
    Term("from_route", "`route` in the source", USE, ()),
    Term("runs", "whether the source, or a release before the target, has all that the program surely imports", USE, (), BOOL),
    Term("stops", "whether the program ends there in the target, and not in the source if that is known", USE, (), BOOL),
    Term("misread", "whether a comparison of the release's text is wrong in the target, and right in a known source", USE, (), BOOL),
    Term("mentions", "whether the module has that name anywhere", USE, ("text",), BOOL),
    Term("beside", "whether a Python file of the package around the program has that text", USE, ("text",), BOOL),
    Term("varies", "whether loops may pass a different value by that name, or in that position, each time", USE, ("text", "number"), BOOL),
    Term("gone", "of an import: the first release up to the target in which it fails, '' if it does not", USE, ()),
    Term("streamed", "whether these sampling parameters reach a generate of which an `async for` keeps the last item", USE, (), BOOL),
    Term("has", "whether the composed configuration has that path", DIALECT, ("path",), BOOL),
    Term("config", "the value at that path, interpolations followed; None when it is absent", DIALECT, ("path",)),
    Term("here", "`config` of a path below the engine's own mapping", DIALECT, ("path",)),
    Term("begins", "whether the value at that path is a text that begins with it", DIALECT, ("path", "text"), BOOL),
    Term("writes_bool", "whether any value of the mapping at that path is a bare true or false", DIALECT, ("path",), BOOL),
    Term("command", "whether a word of the engine's command line contains the text", DIALECT, ("text",), BOOL),
    Term("word", "whether a word of the engine's command line is the text", DIALECT, ("text",), BOOL),
    Term("fw", "whether the framework's release fits; undetermined when no file pins it", DIALECT, ("specifier",), BOOL),
    Term("vllm", "whether the release of vLLM is that one or newer", ("transport",), ("release",), BOOL),
)  # fmt: skip

ROLES: tuple[str, ...] = get_args(Role)
ENTRYPOINTS = ("serve", "api_server", "llm", "async_llm", "engine", "")
PROBLEMS = (
    *("", "dropped", "dead", "overridden", "duplicate", "ignored"),
    *("unknown", "ambiguous", "choice", "value", "missing", "refused", "lost"),
)
PLATFORMS = ("cuda", "rocm", "cpu", "npu", "tpu", "neuron", "hpu", "xpu")
NAMES = (
    Term("engine", "the core that runs", RESOLVING, values=("v0", "v1")),
    Term("role", "what the engine is for", (*RESOLVING, *DIALECT), values=ROLES),
    Term("dialect", "the id of the dialect it is written in", RESOLVING),
    Term("entrypoint", "the program that builds the engine, '' for none", (*RESOLVING, "transport"), values=ENTRYPOINTS),
    Term("model_runner", "what prepares batches, samples and computes logprobs", RESOLVING, values=("v0", "v1", "v2")),
    Term("executor", "distributed_executor_backend as it resolves", RESOLVING),
    Term("release", "the release; only as from.release and to.release", RESOLVING),
    Term("before_v1", "whether the project pins a release older than 0.8.0, where V0 was the default", RESOLVING, values=BOOL),
    Term("gpu.capability", "compute capability of the GPU that --gpu names", RESOLVING),
    Term("gpu.memory", "memory in GiB of the GPU that --gpu names", RESOLVING),
    Term("gpu.name", "the GPU's model, if a rule distinguishes it from others of its size", RESOLVING, values=("", "a100")),
    Term("gpu.platform", "the platform that vLLM runs on, as far as a GPU or the files show it", RESOLVING, values=PLATFORMS),
    Term("setting.option", "the option or variable at hand", AT_HAND),
    Term("setting.key", "the setting as it is written", AT_HAND),
    Term("setting.value", "its value as it is written", AT_HAND),
    Term("setting.before", "its option's effective value in the source", AT_HAND),
    Term("setting.after", "its option's effective value in the target", AT_HAND),
    Term("setting.diagnostic", "what becomes of it in the target, '' when it arrives", AT_HAND, values=PROBLEMS),
    Term("setting.was", "what becomes of it in the source, '' when it arrives", AT_HAND, values=PROBLEMS),
    Term("setting.existed", "whether the source has it; of a variable, whether a release before the target does", AT_HAND, values=BOOL),
    Term("setting.exists", "whether the target has the option", AT_HAND, values=BOOL),
    Term("setting.ever", "whether any release has the option", AT_HAND, values=BOOL),
    Term("setting.alike", "whether the target has an option of a similar name", AT_HAND, values=BOOL),
    Term("setting.stock", "whether its value is the framework's own default, in any of its releases", AT_HAND, values=BOOL),
    Term("setting.gone", "whether its value is one that vLLM itself had in the source and lacks in the target", AT_HAND, values=BOOL),
    Term("setting.renamed", "its successor between the releases, '' when there is none", AT_HAND),
    Term(
        "setting.polarity",
        "how the successor relates to it",
        AT_HAND,
        values=("", "same", "inverted", "value", "nested", "split", "deleted"),
    ),
    Term("setting.deprecated", "what the target says against it, '' when nothing", AT_HAND),
    Term("setting.switched", "whether the key names a different option in the target", AT_HAND, values=BOOL),
    Term("setting.idle", "whether the target runs the same without it", AT_HAND, values=BOOL),
    Term("setting.was_idle", "whether the source runs the same without it", AT_HAND, values=BOOL),
    Term("setting.pairs", "the mapping that image=4,video=1 or a compilation level stands for, None for anything else", AT_HAND),
    Term("setting.remark", "what is wrong with the command line", AT_HAND, values=("", "lost", "repeated", "refused", "taken")),
    Term("default.option", "the option at hand, as rules name it", DEFAULT),
    Term("default.key", "its bare name", DEFAULT),
    Term("default.section", "where it is declared", DEFAULT, values=("engine", "sampling", "env")),
    Term("default.layer", "which part of a run it can affect", DEFAULT, values=get_args(Layer)),
    Term("default.since", "the first release with the new default", DEFAULT),
    Term("default.old", "the default that the source declares", DEFAULT),
    Term("default.new", "the default that the target declares", DEFAULT),
    Term("default.before", "its effective value in the source", DEFAULT),
    Term("default.after", "its effective value in the target", DEFAULT),
    Term("default.unset", "whether neither the user nor the framework sets it", DEFAULT, values=BOOL),
    Term("default.accepted", "whether the target accepts the old default", DEFAULT, values=BOOL),
    Term("use.name", "the use's name in the dialect", USE),
    Term("use.key", "the use as it is written", USE),
    Term("use.value", "the value of the keyword at hand", USE),
    Term("use.shape", "of a value: many for a list of lists, one for a list of numbers, '' if neither is clear", USE),
    Term("use.method", "the call whose keyword is at hand", USE),
    Term("use.function", "the enclosing functions, '' at module level", USE),
    Term("use.positional", "how many arguments are passed by position", USE),
    Term("use.awaited", "whether it is awaited", USE, values=BOOL),
    Term("use.assigned", "whether a keyword is assigned to an attribute of the object after the call", USE, values=BOOL),
    Term("use.guarded", "of an import: whether it is in a try or a condition", USE, values=BOOL),
    Term("use.in_loop", "whether it is in a loop", USE, values=BOOL),
    Term("use.calls_back", "whether its first argument is a function", USE, values=BOOL),
    Term("use.exists", "whether the target has the method, or the parameter", USE, values=BOOL),
    Term("use.existed", "whether the source (or an earlier one, if no other is compared) has the method or parameter", USE, values=BOOL),
    Term("refusal.alone", "whether it is about one setting, whose value is out of bounds", ("refusal",), values=BOOL),
    Term("refusal.per_request", "whether the target rejects each request, not the engine", ("refusal",), values=BOOL),
    Term("use.taken", "of a name that a class defines: the release since which vLLM's class has it, '' for none", USE),
    Term("use.refused", "of a call, or a configuration class's keyword: why the target raises an error, '' if it does not", USE),
    Term("use.unfit", "of a method that overrides one of vLLM's: what the target passes that it does not accept, '' if it fits", USE),
    Term("use.fitted", "of a call: whether the source (or an earlier one, if no other is compared) accepts it", USE, values=BOOL),
    Term(
        "use.becomes",
        "of a configuration class's keyword: '' if the target has the field, else unknown (rejected) or lost (dropped)",
        USE,
        values=("", "unknown", "lost"),
    ),
    Term("value", "the value that is to be written", ("pin",)),
    Term("option", "the option that is to be written", ("pin",)),
)  # fmt: skip

# What releases decide by themselves and no option of vLLM sets; entries of rules/effective/ say how.
FRAMEWORK = "framework"  # of `at`: the line that pins the release of the engine's framework
RESOLVED = ("engine", "model_runner")

# What a dialect can say of an engine, in its `facts` or by a key that maps to it. None where it says nothing.
FACTS = (
    Term("rl.logprobs_in_loss", "the loss uses the logprobs that the engine returns", RESOLVING, values=TELLS),
    Term("rl.is_correction", "the trainer corrects by importance sampling with the rollout's logprobs", RESOLVING, values=TELLS),
    Term("rl.rollout_is_old", "the rollout's logprobs stand for those of the old policy", RESOLVING, values=TELLS),
    Term("rl.tiny_clip", "the clip range is narrower than rounding noise", RESOLVING, values=TELLS),
    Term("rl.tight_rejection", "sequences are rejected by a mean ratio, in a band narrower than rounding noise", RESOLVING, values=TELLS),
    Term("rl.trainer_tempers", "the trainer divides its logits by the temperature", RESOLVING, values=TELLS),
    Term("rl.trainer_dtype", "the dtype of the trainer's forward pass, by the framework's own name", RESOLVING),
    Term("rl.trainer_head_fp32", "the trainer computes logits in float32", RESOLVING, values=TELLS),
    Term("rl.engine_head_fp32", "the framework makes the engine compute logits in float32", RESOLVING, values=TELLS),
    Term("rl.head_patch", "the framework patches the engine's logits layer to float32", RESOLVING, values=TELLS),
    Term("rl.replays_routing", "the trainer routes tokens to the experts that the rollout's engine took", RESOLVING, values=TELLS),
    Term("rl.trainer_router_fp32", "the trainer computes expert routing in float32", RESOLVING, values=TELLS),
    Term("rl.engine_router_fp32", "the engine computes expert routing in float32", RESOLVING, values=TELLS),
    Term("rl.inflight_updates", "weights are updated while requests are running", RESOLVING, values=TELLS),
    Term("rl.requests_running", "requests are running at that point of the program", RESOLVING, values=TELLS),
    Term("rl.pauses", "the framework pauses generation around a weight update", RESOLVING, values=TELLS),
    Term("rl.own_weight_update", "the framework updates weights with its own code", RESOLVING, values=TELLS),
    Term("rl.keeps_cache", "cached keys and values survive a weight update", RESOLVING, values=TELLS),
    Term("rl.sleep_loses_weights", "the engine sleeps in a way that drops its weights", RESOLVING, values=TELLS),
    Term("rl.loses_sometimes", "weights dropped by sleep come back before some generations only", RESOLVING, values=TELLS),
    Term("rl.loads_elsewhere", "other code loads the weights again after the engine wakes", RESOLVING, values=TELLS),
    Term("rl.reloads_adapters", "an adapter is loaded again under the name it had", RESOLVING, values=TELLS),
    Term("rl.inherits_sampling", "requests leave sampling parameters to the engine's defaults", RESOLVING, values=TELLS),
    Term("rl.replicas", "more than one engine serves the same prompts", RESOLVING, values=TELLS),
    Term("rl.seed_is_base", "each replica derives its own seed from the one that is written", RESOLVING, values=TELLS),
    Term("rl.one_process", "the engine runs in the program's own process", RESOLVING, values=TELLS),
    Term("rl.keys_taken_out", "a wrapper takes keys of its own out of the file before vLLM reads it", RESOLVING, values=TELLS),
    Term("rl.server_is_vllm", "the server that answers a client is vLLM's", RESOLVING, values=TELLS),
    Term("rl.engine_is_vllm", "the object that is called is vLLM's own, not a wrapper", RESOLVING, values=TELLS),
    Term("loss.per_sequence", "the loss clips the ratio of a whole sequence", RESOLVING, values=TELLS),
    Term("loss.epsilon_low", "how far below 1 the ratio may go", RESOLVING),
    Term("loss.epsilon_high", "how far above 1 the ratio may go", RESOLVING),
    Term("loss.length", "the longest response in tokens", RESOLVING),
    Term("pause.mode", "what a pause does with running requests", RESOLVING, values=("abort", "wait", "keep", None)),
    Term("pause.clear_cache", "a pause clears cached keys and values", RESOLVING, values=TELLS),
    Term("config.core", "the key of the configuration that chooses the engine's core", RESOLVING),
    Term("config.sleep_level", "the level of sleep between updates", RESOLVING),
    Term("sampling.via", "how requests carry sampling parameters", RESOLVING, values=("explicit", "http", "request", None)),
)  # fmt: skip

# Names of which there are as many as the catalog, a model or an environment has.
FAMILIES = {
    "X": "an engine option: its effective value in the (target) release",
    "X_config.KEY": "a key of an engine option that is a mapping",
    "sampling.X": "a sampling parameter: what requests use",
    "env.X": "an environment variable of the engine, None when it is not set",
    "model.KEY": "a key of the model's config.json (`--model-config`)",
    "from.NAME, to.NAME": "any of these in the source, in the target; in rules only",
    "NAME": "in a dialect: what its `define` says; elsewhere: a condition of rules/conditions.yaml",
}
