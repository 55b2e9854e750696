"""Files with a secret in every place where people put one; each context has a secret of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import NamedTuple

NAMES = (
    *("HF_TOKEN", "WANDB_API_KEY", "api_key", "api-key", "apiKey", "DB_PASSWORD", "password", "client_secret"),
    *("HF_TOKEN_2", "API_KEY_PROD", "PGPASSWORD", "GITHUB_PAT", "AWS_SECRET_ACCESS_KEY", "MYSQL_PWD", "auth_token"),
    *("SENTRY_DSN", "private_key", "SLACK_WEBHOOK_URL", "session_cookie", "passphrase", "token_v2", "passwds", "pwd"),
)

YAML = (
    "{n}: {s}", "{n}: '{s}'", '{n}: "{s}"', "{n}:\n    {s}", "{n}:\n    '{s}'", "{n}: |\n    {s}", "{n}: >-\n    {s}",
    "{n}: |2-\n    {s}", "{n}: &anchor {s}", "{n}: !!str {s}", "{n}: !secret '{s}'", "{n}: &a !!str '{s}'", "? {n}\n  : {s}",
    "{n}: [{s}, other]", "{n}:\n    - {s}\n    - other", "{n}: {{value: {s}}}", "x: {{{n}: {s}}}", "x: {{'{n}': '{s}'}}",
    "env:\n    - name: {n}\n      value: {s}", "env:\n    - name: {n}\n      value: '{s}'", "env:\n    - value: {s}\n      name: {n}",
    "env: [{{name: {n}, value: {s}}}]", "env:\n    - {n}={s}", "environment:\n    {n}: {s}", "args: ['--{n}', '{s}']",
    "args: [--{n}, {s}]", "args:\n    - --{n}\n    - {s}", "args:\n    - '--{n}={s}'", "args: ['--{n}={s}']",
    "cmd: vllm serve m --{n} {s} --port 1", "cmd: 'export {n}={s}; vllm serve m'", "cmd: |\n    export {n}={s}\n    run",
    "x: ${{oc.env:{n},{s}}}", "x: ${{oc.env:{n}, '{s}'}}", "x: ${{{n}:-{s}}}", "x: '{{\"{n}\": \"{s}\"}}'",
    'x: "{{\\"{n}\\": \\"{s}\\"}}"', "x: 'curl -H \"Authorization: Bearer {s}\"'", "x: https://user:{s}@host/path",
    "x: https://{s}@host/path", "x: https://host/p?token={s}&a=1", "x: https://host/p?sig={s}", "{n}: {s}  # note", "# {n}: {s}",
)  # fmt: skip
SHELL = (
    "export {n}={s}", "export {n}='{s}'", 'export {n}="{s}"', "export {n}=$'{s}'", "{n}={s} true", "{n}='{s}' \\\n  true",
    "env {n}={s} true", ": ${{{n}:={s}}}", "X=${{{n}:-{s}}}", "X=${{{n}-{s}}}", "true --{n} {s}", "true --{n}={s}",
    "true --{n} '{s}'", "true --{n} \\\n  {s}", "true +x.{n}={s}", "true '{n}={s}'", "declare -x {n}={s}", "readonly {n}={s}",
    "curl -H 'Authorization: Bearer {s}' x", "pip install --extra-index-url https://u:{s}@host/simple vllm",
    "pip install git+https://{s}@github.com/x/y", "echo '{{\"{n}\": \"{s}\"}}' > x.json", "cat <<EOF > .env\n{n}={s}\nEOF",
    "docker run -e {n}={s} image", "ARGS=(--{n} {s})", "ARGS+=(\"--{n}\" \"{s}\")", "# {n}={s}", "{n}+={s}", "wandb login {s}",
)  # fmt: skip
PYTHON = (
    "os.environ['{n}'] = '{s}'", 'os.environ["{n}"] = "{s}"', "os.environ.setdefault('{n}', '{s}')",
    "X = os.getenv('{n}', '{s}')", "X = os.environ.get('{n}', '{s}')", "{p} = '{s}'", "{p} = r'{s}'", "{p} = f'{s}'", "{p}: str = '{s}'",
    "{p} = (\n    '{s}'\n)", "CFG = {{'{n}': '{s}'}}", "CFG = dict({p}='{s}')", "run(['--{n}', '{s}'])", "run('--{n}={s}')",
    "run('export {n}={s}')", "parser.add_argument('--{n}', default='{s}')", "{p} = '''{s}'''", "connect({p}='{s}')",
    "{p} = b'{s}'", "{p} = SecretStr('{s}')", "H = {{'Authorization': f'Bearer {s}'}}", "U = 'https://u:{s}@h/'",
    "os.environ.update({p}='{s}')",
    "os.environ['{n}'] = \\\n    '{s}'", "# {n} = '{s}'", "J = '{{\"{n}\": \"{s}\"}}'", "{p} = ['{s}', 'other']",
)  # fmt: skip
TOML = (
    "{q} = '{s}'",
    '{q} = "{s}"',
    "{q} = '''\n{s}'''",
    "x = {{ {q} = '{s}' }}",
    "{q} = ['{s}']",
    "x = '--{n} {s}'",
    "x = ['--{n}', '{s}']",
)
SHAPES = (
    "hf_{h}",
    "sk-{h}",
    "ghp_{h}{h}",
    "glpat-{h}",
    "xoxb-{h}",
    "AKIA{u}",
    "npm_{h}{h}",
    "nvapi-{h}",
    "gsk_{h}",
    "eyJ{h}.eyJ{h}.{h}",
    "wandb_v1_{h}{h}",
)

ENGINE = {
    "yaml": "vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    num-scheduler-steps: 1\n    swap-space: 4\n",
    "sh": "#!/bin/bash\nvllm serve m --num-scheduler-steps 1 --swap-space 4\n",
    "py": "import os\nfrom vllm import LLM\nllm = LLM(model='m', swap_space=4, num_scheduler_steps=1)\n",
    "toml": "[inference.vllm]\nnum_scheduler_steps = 1\nswap_space = 4\n",
}


class Context(NamedTuple):
    """A file, its text, and what must not be printed of it."""

    name: str
    text: str
    secret: str


def contexts(per_template: int = 1) -> Iterator[Context]:
    """Every template with so many names, the secret beside the engine, in its block, on its lines, before and behind."""
    count = 0
    for suffix, templates in (("yaml", YAML), ("sh", SHELL), ("py", PYTHON), ("toml", TOML)):
        for template in templates:
            for turn in range(per_template):
                name = NAMES[(count + turn * 7) % len(NAMES)]
                secret = secret_of(count)
                key = name.replace("-", "_")
                body = template.format(n=name, s=secret, p=key, q=json.dumps(name))
                yield Context(f"c{count}.{suffix}", _placed(suffix, body, count), secret)
                count += 1
    for shape in SHAPES:
        for suffix, body in (("yaml", "x: {s}"), ("sh", "run {s}"), ("py", "x = f('{s}')"), ("toml", "x = '{s}'")):
            drawn = secret_of(count)
            secret = shape.format(h=drawn + drawn[:4], u=(drawn * 2)[:16].upper())
            yield Context(f"c{count}.{suffix}", _placed(suffix, body.format(s=secret), count), secret)
            count += 1


def _placed(suffix: str, body: str, count: int) -> str:
    engine = ENGINE[suffix]
    if suffix == "yaml":
        if count % 2:
            return engine + "".join(f"    {line}\n" for line in body.split("\n"))
        return "x0: 1\n" + body.replace("\n    ", "\n  ") + "\n" + engine
    if suffix == "toml":
        return engine + body + "\n"
    if suffix == "sh":
        head, _, rest = engine.partition("\n")
        return f"{head}\n{body}\n{rest}"
    head, _, rest = engine.partition("llm =")
    return f"{head}{body}\nllm ={rest}"


def secret_of(number: int) -> str:
    """A secret that nothing else has in it."""
    return "Zq7" + hashlib.sha256(str(number).encode()).hexdigest()[:17]
