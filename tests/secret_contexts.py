"""Files with a secret in every place where people put one; each context has a secret of its own."""

from __future__ import annotations

import base64
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


# Whole files of more kinds, by name: {n} the name, {p} the same as an identifier, {s} the secret, {b} its base64.
WHOLE = {
    "Dockerfile": (
        "ENV {p} {s}", "ENV {p}={s}", 'ENV A=1 {p}="{s}" B=2', "ARG {p}={s}", "LABEL {n}={s}",
        'RUN echo "machine h login u password {s}" > ~/.netrc', "RUN huggingface-cli login --token {s}",
        "RUN pip install --index-url https://__token__:{s}@h/simple vllm==0.8.5", "RUN {p}={s} make", "ENV A=1 \\\n    {p}={s}",
        'ENTRYPOINT ["env", "{p}={s}", "vllm", "serve", "m", "--swap-space", "4"]', "HEALTHCHECK CMD curl -H 'X-Api-Key: {s}' h",
        'CMD ["--model", "m", "--swap-space", "4", "--api-key", "{s}"]', "CMD --model m --swap-space 4 --api-key {s}",
    ),
    "compose.yaml": (
        "environment:\n      - {n}={s}", "environment:\n      {n}: {s}", "command: --model m --swap-space 4 --api-key {s}",
        'command: [--model, m, --swap-space, "4", "--api-key={s}"]', 'labels:\n      {n}: "{s}"', "labels:\n      - {n}={s}",
        "build:\n      context: .\n      args:\n        {n}: {s}", "build:\n      context: .\n      args: ['{n}={s}']",
        'healthcheck:\n      test: curl -H "X-Api-Key: {s}" h', "environment:\n      <<: {{{n}: {s}}}",
        "command: >\n      --model m --swap-space 4\n      --api-key {s}", "environment: ['{n}=${{X:-{s}}}']",
    ),
    "pods.yaml": (
        "    env:\n    - name: {n}\n      value: {s}", '    args: [--model, m, --swap-space, "4", --api-key, {s}]',
        '    args: [--model, m, --swap-space, "4", "--api-key={s}"]', "    command: [sh, -c, 'vllm serve m --swap-space 4 --api-key {s}']",
        "    livenessProbe:\n      httpGet:\n        httpHeaders:\n        - name: Authorization\n          value: Bearer {s}",
        "    args: [--model, m]\n---\nkind: Secret\nmetadata: {{name: x}}\nstringData:\n  {n}: {s}",
        "    args: [--model, m]\n---\nkind: Secret\nmetadata: {{name: x}}\nstringData:\n  something: {s}",
        "    args: [--model, m]\n---\nkind: Secret\nmetadata: {{name: x}}\ndata:\n  something: {b}",
        "    args: [--model, m]\n---\nkind: ConfigMap\nmetadata: {{name: x}}\ndata:\n  .env: |\n    {n}={s}",
        "    command: [bash, -c]\n    args:\n    - |\n      export {p}={s}\n      vllm serve m --swap-space 4",
        "    args: [--model, m]\n---\nkind: Secret\ndata:\n  .dockerconfigjson: '{{\"auths\":{{\"h\":{{\"auth\":\"{b}\"}}}}}}'",
    ),
    "a.json": (
        '"{n}": "{s}"', '"headers": {{"Authorization": "Bearer {s}"}}', '"env": [{{"name": "{n}", "value": "{s}"}}]',
        '"args": ["--{n}", "{s}"]', '"args": ["--{n}={s}"]', '"x": "{{\\"{n}\\": \\"{s}\\"}}"', '"url": "https://h/p?access_token={s}"',
        '"{n}": ["{s}"]', '"{n}":\n  "{s}"', '"x": {{"{n}": {{"value": "{s}"}}}}', '"env": ["{n}={s}"]', '"x": "postgres://u:{s}@h/d"',
    ),
    "a.ipynb": (
        "%env {p}={s}", "%set_env {p} {s}", "!export {p}={s}", "!vllm serve m --api-key {s} --swap-space 4", "os.environ['{n}'] = '{s}'",
        "login(token='{s}')", "login('{s}')", "%%bash\\nvllm serve m --swap-space 4 --api-key {s}", "{p} = '{s}'  # note",
    ),
    "a.env": ("{n}={s}", "export {n}='{s}'", '{n}="{s}" # note', "# {n}={s}", "URL=https://u:{s}@h/", "{n} = {s}"),
    "a.py": (
        "login('{s}')", "wandb.login(key='{s}')", "c = OpenAI(api_key='{s}', base_url='http://h/v1')", "os.putenv('{n}', '{s}')",
        "post(u, headers={{'Authorization': 'Bearer {s}'}}, json={{'model': 'm'}})", "class C:\n    {p}: str = field(default='{s}')",
        "run('vllm serve m --swap-space 4 --api-key {s}', shell=True)", "run(['vllm', 'serve', 'm', '--swap-space', '4', '--api-key={s}'])",
        "parser.add_argument('--{n}', type=str, default='{s}', help='x')", "class C:\n    {p}: str = Field('{s}', description='x')",
        "{p} = ('head'\n    '{s}')", "os.environ |= {{'{n}': '{s}'}}", "d['{n}'] = '{s}'", "cfg.{p} = '{s}'", "if {p} == '{s}': pass",
        "m = LLM(model='m', swap_space=4, hf_token='{s}')", "u = 'postgresql://u:{s}@h/db'", "def f({p}='{s}'): pass",
        "{p} = os.environ.get('X') or '{s}'", "m = LLM(**{{'model': 'm', 'swap_space': 4, 'hf_token': '{s}'}})", "print({p} := '{s}')",
        "K = '''-----BEGIN RSA PRIVATE KEY-----\n{s}\n-----END RSA PRIVATE KEY-----'''", "{p}, x = '{s}', 1", "d = [('{n}', '{s}')]",
        "s.auth = ('u', '{s}')", "c = dict(auth=('u', '{s}'))", "x = {{'name': '{n}', 'value': '{s}'}}", "setattr(c, '{n}', '{s}')",
    ),
    "a.sh": (
        "huggingface-cli login --token {s}", "hf auth login --token {s}", "curl -u user:{s} https://h", 'curl -H "X-API-Key: {s}" h',
        "vllm serve m --swap-space 4 --api-key {s}", "vllm serve m --swap-space 4 --api-key={s}", "docker login -u u -p {s}",
        'vllm serve m --swap-space 4 --api-key "$(echo {s})"', "read -r {p} <<< '{s}'", "sshpass -p {s} ssh h", "set -- --api-key {s}",
        "printf '%s' {s} | docker login -u u --password-stdin", "git clone https://oauth2:{s}@h/x/y", 'eval "export {p}={s}"',
        "kubectl create secret generic x --from-literal={n}={s}", "sbatch --export=ALL,{p}={s} x.sh", "mysql -u u --password={s}",
        'ray job submit --runtime-env-json \'{{"env_vars": {{"{n}": "{s}"}}}}\' -- true', 'if [ "${p}" = "{s}" ]; then true; fi',
        "python -m verl.trainer.main_ppo +ray_init.runtime_env.env_vars.{p}={s}", 'A="vllm serve m --swap-space 4 --api-key {s}"\n$A',
        "{p}=$(cat <<X\n{s}\nX\n)", "python -c \"login('{s}')\"", "typeset {p}={s}", "local {p}={s}", "wget --password={s} h",
        "export A=1 {p}={s} B=2", "{p}={s}; export {p}", "curl h?api_key={s}", "ssh h {p}={s} vllm serve m", "wandb login --relogin {s}",
    ),
    "a.yaml": (
        "    overrides: ['a.{n}={s}']", "    headers: {{Authorization: 'Bearer {s}'}}", "    x:\n    - {n}: {s}", "    x: postgresql://u:{s}@h",
        "    x: |\n      {{\"{n}\": \"{s}\"}}", "    users: [{{name: a, password: {s}}}]", "    docker_args: -e {n}={s} -v a:b",
        "    x:\n      key: {n}\n      value: {s}", "    {n}: \"head \\\n      {s}\"",
        "    setup: |\n      pip install x\n      hf auth login --token {s}",
        "    {n}:\n      # the old one\n      {s}", "    {n}: ! {s}", "    login: [u, {s}]\n    auth: u:{s}", "    envs: {{{n}: {s}}}",
    ),
    "rl.toml": (
        "[env]\n{q} = '{s}'", "args = ['--api-key', '{s}']", "headers.Authorization = 'Bearer {s}'", "x = 'https://u:{s}@h/simple'",
        "[[x]]\nname = '{n}'\nvalue = '{s}'", "x = {{ name = '{n}', value = '{s}' }}", '{q} = """\\\n  {s}"""',
    ),
    "requirements.txt": (
        "--extra-index-url https://u:{s}@h/simple", "vllm @ https://u:{s}@h/vllm-0.8.5-py3-none-any.whl", "-e git+https://{s}@h/x/y",
        "x @ git+ssh://u:{s}@h/x", "--index-url=https://{s}@h/simple", "# {n}={s}",
    ),
}  # fmt: skip
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: c\n    image: vllm/vllm-openai:v0.8.5\n"
AROUND = {
    "Dockerfile": ("FROM vllm/vllm-openai:v0.8.5\n", "\nENV VLLM_USE_V1=0\n"),
    "compose.yaml": ("services:\n  s:\n    image: vllm/vllm-openai:v0.8.5\n    ", "\n"),
    "pods.yaml": (POD, "\n"),
    "a.json": ('{"model": "m", "swap-space": 4, "tensor-parallel-size": 1,\n', "}\n"),
    "a.ipynb": (
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "metadata": {}, "outputs": [], '
        '"execution_count": 1, "source": ["from vllm import LLM\\n", "m = LLM(\'m\', swap_space=4)"]},\n{"cell_type": "code", '
        '"metadata": {}, "outputs": [], "execution_count": 2, "source": ["',
        '"]}]}\n',
    ),
    "a.py": ("from vllm import LLM\nllm = LLM(model='m', swap_space=4, num_scheduler_steps=1)\n", "\n"),
    "a.sh": ("#!/bin/bash\nvllm serve m --num-scheduler-steps 1 --swap-space 4\n", "\n"),
    "a.yaml": ("vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    num-scheduler-steps: 1\n", "\n"),
    "rl.toml": ("[inference.vllm]\nnum_scheduler_steps = 1\n", "\n"),
    "requirements.txt": ("vllm==0.8.5\n", "\n"),
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


def whole_files(per_template: int = 1) -> Iterator[Context]:
    """Every template of a whole file with so many names."""
    count = 10_000
    for name, templates in WHOLE.items():
        before, after = AROUND.get(name, ("", "\n"))
        for template in templates:
            for turn in range(per_template):
                word, secret = NAMES[(count + turn * 7) % len(NAMES)], secret_of(count)
                key, encoded = word.replace("-", "_"), base64.b64encode(secret.encode()).decode()
                body = template.format(n=word, s=secret, p=key, q=json.dumps(word), b=encoded)
                yield Context(name, before + body + after, encoded if "{b}" in template else secret)
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
