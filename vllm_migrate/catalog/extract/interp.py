"""The evaluator: names, attributes, calls. Expressions and statements are in modules of their own."""

from __future__ import annotations

import ast
import builtins
import typing
from typing import Any

from vllm_migrate.catalog.extract import expressions, stdlib, texts
from vllm_migrate.catalog.extract.classes import ClassValue, LazyType, field_docs
from vllm_migrate.catalog.extract.registries import registered
from vllm_migrate.catalog.extract.scope import Scope
from vllm_migrate.catalog.extract.source import EXCEPT, TYPING, Binding, Module, SourceTree
from vllm_migrate.catalog.extract.values import (
    MISSING,
    UNDEFINED,
    External,
    FieldInfo,
    Function,
    Host,
    HostObject,
    Instance,
    Member,
    Missing,
    ModuleRef,
    ProgramError,
    Undecidable,
    Unknown,
)

# decided by the machine the program runs on, or by what else is installed there
_RUN_TIME = {"vllm.platforms.current_platform", "vllm.plugins.load_general_plugins"}
STEP_LIMIT = 400_000
DEPTH_LIMIT = 60


_PLAIN = (str, bytes, int, float, bool, list, dict, set, frozenset, tuple)
_LAZY = (enumerate, zip, map, filter, range, len)  # they walk nothing until asked
_UNBOUND = {"format", "format_map", "ljust", "rjust", "center", "zfill", "expandtabs", "replace", "translate", "join"}
_ORDERED = (list, tuple, enumerate, zip, map, filter, iter)  # what a set must not be handed to unsorted
_LENIENT = {"get_kwargs", "_compute_kwargs"}  # one field they fail on does not spoil the others
_OPAQUE_DECORATORS = {"contextmanager", "asynccontextmanager"}


class Interpreter:
    """Evaluates the source of one tree. Never imports it; the environment counts as empty."""

    def __init__(self, tree: SourceTree) -> None:
        self.tree = tree
        self.hosts = stdlib.hosts(self)
        self.builtins = stdlib.builtin_names(self)
        self.steps = 0
        self.depth = 0
        self._resolving: set[tuple[str, str, bool]] = set()
        self.gaps: list[str] = []  # statements of a parser builder that could not be followed

    # -- entry points ----------------------------------------------------------------------------

    def evaluate(self, node: ast.expr, scope: Scope) -> Any:
        """Value of an expression; may be Unknown, may raise Undecidable or ProgramError."""
        self.step()
        return expressions.evaluate(self, node, scope)

    def step(self) -> None:
        """Count one step; Undecidable when a value has taken more than any release needs."""
        self.steps += 1
        if self.steps > STEP_LIMIT:
            raise Undecidable("too many steps")

    def value_of(self, node: ast.expr, scope: Scope) -> Any:
        """Like evaluate, but anything undecided is an Unknown with the expression's text."""
        try:
            if self.depth == 0:
                self.steps = 0
            return self.evaluate(node, scope)
        except (Undecidable, ProgramError, RecursionError):
            return Unknown(ast.unparse(node))

    def call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Call from outside; Unknown when source does not decide the result."""
        try:
            self.steps = 0
            return self.apply(function, args, kwargs, "call")
        except (Undecidable, ProgramError, RecursionError) as error:
            return Unknown(str(error))

    def lookup(self, dotted: str) -> Any:
        """Value of `package.module.name`; raises KeyError when the tree has no such name."""
        module, _, name = dotted.rpartition(".")
        found = self.tree.module(module)
        if found is None or not self.defines(found, name):
            raise KeyError(dotted)
        return self.name_in(found, name)

    # -- names -----------------------------------------------------------------------------------

    def defines(self, module: Module, name: str) -> bool:
        return any(b.context != TYPING for b in module.bindings.get(name, ()))

    def name_in(self, module: Module, name: str, typing_context: bool = False) -> Any:
        """Value of a module's global; Unknown when undecided, External when it is not the tree's."""
        key = (name, typing_context)
        if key not in module.cache:
            mark = (module.name, name, typing_context)
            if mark in self._resolving:
                return Unknown(name)
            self._resolving.add(mark)
            try:
                module.cache[key] = self._global(module, name, typing_context)
            finally:
                self._resolving.discard(mark)
        return module.cache[key]

    def _global(self, module: Module, name: str, typing_context: bool) -> Any:
        scope = Scope(module, typing=typing_context)
        for binding in self._candidates(module, name, typing_context):
            try:
                if not self._holds(binding, scope):
                    continue
            except (Undecidable, ProgramError):
                return Unknown(name)
            value = self._bound(module, name, binding, scope)
            if name in module.mutations and isinstance(value, list | dict | set):
                value = self._mutated(module, name, value)
            return value
        return self._absent(module, name, typing_context)

    def _candidates(self, module: Module, name: str, typing_context: bool) -> list[Binding]:
        found = module.bindings.get(name, [])
        typed = [b for b in found if b.context == TYPING]
        runtime = [b for b in found if b.context not in (TYPING, EXCEPT)]
        fallback = [b for b in found if b.context == EXCEPT]
        if typing_context and typed and not any(isinstance(b.node, ast.AnnAssign) for b in typed):
            return typed[::-1]
        return runtime[::-1] + fallback

    def _holds(self, binding: Binding, scope: Scope) -> bool:
        return all(bool(self.truth(self.evaluate(test, scope))) is wanted for test, wanted in binding.guards)

    def may_hold(self, binding: Binding, scope: Scope) -> bool:
        """False where source decides that the conditions of a top-level statement do not hold."""
        try:
            return self._holds(binding, scope)
        except (Undecidable, ProgramError, RecursionError):
            return True

    def _absent(self, module: Module, name: str, typing_context: bool) -> Any:
        if not any(b.context == TYPING for b in module.bindings.get(name, ())):
            for node in module.stars:
                source = self.tree.module(module.absolute(node))
                if source is not None and name in source.bindings:
                    return self.name_in(source, name, typing_context)
        if hasattr(builtins, name) or name in self.builtins:
            return self.builtins.get(name, Unknown(name))
        variables = module.bindings.get("environment_variables")
        if variables and name != "environment_variables":
            return self._environment(module, name)
        return Unknown(name)

    def _environment(self, module: Module, name: str) -> Any:
        table = self.name_in(module, "environment_variables")
        if isinstance(table, dict) and name in table:
            return self.apply(table[name], (), {}, name)
        return Unknown(f"{module.name}.{name}")

    def _mutated(self, module: Module, name: str, value: Any) -> Any:
        from vllm_migrate.catalog.extract import statements

        scope = Scope(module)
        scope.vars[name] = value
        try:
            for node in module.mutations[name]:
                statements.execute(self, [node], scope)
        except (Undecidable, ProgramError):
            return Unknown(name)
        return scope.vars[name]

    def _bound(self, module: Module, name: str, binding: Binding, scope: Scope) -> Any:
        node = binding.node
        if isinstance(node, ast.ClassDef):
            return ClassValue(node, scope, self)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name == "get_attr_docs":  # reads its argument's source with inspect
                return Host("get_attr_docs", field_docs)
            if node.name == "is_in_doc_build":
                return Host("is_in_doc_build", lambda: False)
            return self.function(node, scope)
        if isinstance(node, ast.Import):
            return self._import(name, node)
        if isinstance(node, ast.ImportFrom):
            alias = next(a for a in node.names if (a.asname or a.name) == name)
            return self.imported(module.absolute(node), alias.name, scope.typing)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            value = self.value_of(node.value, scope)
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Tuple | ast.List):
                    return self._unpacked(target, name, value)
            return value
        return Unknown(name)

    @staticmethod
    def _unpacked(target: ast.Tuple | ast.List, name: str, value: Any) -> Any:
        if isinstance(value, list | tuple) and len(value) == len(target.elts):
            for part, item in zip(target.elts, value, strict=True):
                if isinstance(part, ast.Name) and part.id == name:
                    return item
        return Unknown(name)

    def _import(self, name: str, node: ast.Import) -> Any:
        alias = next(a for a in node.names if (a.asname or a.name.split(".")[0]) == name)
        return self.module_value(alias.name if alias.asname else alias.name.split(".")[0])

    def module_value(self, name: str) -> Any:
        if self.tree.path_of(name) or self.tree.is_package(name):
            return ModuleRef(name)
        return self.hosts.get(name, External(name))

    def imported(self, module_name: str, name: str, typing_context: bool = False) -> Any:
        """What `from module_name import name` binds."""
        if f"{module_name}.{name}" in _RUN_TIME:
            return External(f"{module_name}.{name}")
        module = self.tree.module(module_name)
        if module is None:
            dotted = f"{module_name}.{name}"
            if self.tree.path_of(dotted):
                return ModuleRef(dotted)
            return stdlib.resolve(self.hosts, dotted)
        if self.defines(module, name) or (typing_context and name in module.bindings):
            return self.name_in(module, name, typing_context)
        if self.tree.path_of(f"{module_name}.{name}"):
            return ModuleRef(f"{module_name}.{name}")
        value = self._absent(module, name, typing_context)
        if isinstance(value, Unknown) and name[:1].isupper():
            found = self.tree.find_class(name, module_name)
            if found is not None:
                return self.name_in(found, name, typing_context)
        return value

    # -- functions and calls ---------------------------------------------------------------------

    def function(self, node: Any, scope: Scope) -> Function:
        """The function object a `def` or a lambda makes here."""
        name = getattr(node, "name", "<lambda>")
        function = Function(node, name, scope, scope.module, self.run)
        arguments = node.args
        positional = arguments.posonlyargs + arguments.args
        for arg, default in zip(positional[::-1], arguments.defaults[::-1], strict=False):
            function.defaults[arg.arg] = self.value_of(default, scope)
        for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if default is not None:
                function.defaults[arg.arg] = self.value_of(default, scope)
        for decorator in getattr(node, "decorator_list", ()):
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            last = ast.unparse(target).rpartition(".")[2]
            kinds = {"staticmethod": "static", "classmethod": "class", "property": "property"}
            kinds["cached_property"] = "property"
            if last in kinds:
                function.kind = kinds[last]
            elif last in _OPAQUE_DECORATORS:
                function.kind = "opaque"
        return function

    def run(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from vllm_migrate.catalog.extract import statements

        if function.kind == "opaque" or isinstance(function.node, ast.AsyncFunctionDef):
            raise Undecidable(function.name)
        if self.depth >= DEPTH_LIMIT:
            raise Undecidable("too deep")
        scope = Scope(function.module, function.scope, cls=function.owner)
        if function.self_value is not None:
            args = (function.self_value, *args)
        self._bind(function, args, kwargs, scope)
        scope.lenient = function.name in _LENIENT or any(
            getattr(value, "collects", False) for value in scope.vars.values()
        )
        self.depth += 1
        try:
            if isinstance(function.node, ast.Lambda):
                return self.evaluate(function.node.body, scope)
            return statements.run_body(self, function.node.body, scope)
        finally:
            self.depth -= 1

    def _bind(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], scope: Scope) -> None:
        spec = function.node.args
        names = [a.arg for a in spec.posonlyargs + spec.args]
        values = dict(zip(names, args, strict=False))
        extra = args[len(names) :]
        rest = dict(kwargs)
        for name in names + [a.arg for a in spec.kwonlyargs]:
            if name in rest:
                values[name] = rest.pop(name)
            elif name not in values:
                if name not in function.defaults:
                    raise ProgramError(TypeError(f"{function.name}: missing {name}"))
                values[name] = function.defaults[name]
        if spec.vararg:
            values[spec.vararg.arg] = tuple(extra)
        elif extra:
            raise ProgramError(TypeError(f"{function.name}: too many arguments"))
        if spec.kwarg:
            values[spec.kwarg.arg] = rest
        elif rest:
            raise ProgramError(TypeError(f"{function.name}: unexpected {sorted(rest)}"))
        scope.vars.update(values)

    def apply(self, callee: Any, args: tuple[Any, ...], kwargs: dict[str, Any], text: str | ast.expr) -> Any:
        """Call a value. Outside functions give Unknown; builtins raise ProgramError as they would."""
        if isinstance(callee, Unknown | External):
            return Unknown(text if isinstance(text, str) else ast.unparse(text))
        if isinstance(callee, Function | ClassValue):
            return callee(*args, **kwargs)
        if not callable(callee):
            raise Undecidable(text if isinstance(text, str) else ast.unparse(text))
        if callee in _ORDERED or _name_of(callee) in ("join", "extend"):
            args = tuple(expressions.in_order(a) if isinstance(a, set | frozenset) else a for a in args)
        if callee is bytes and args and isinstance(args[0], int) and args[0] > texts.LIMIT:
            raise Undecidable("bytes")
        if callee not in _LAZY and _name_of(callee) not in ("next", "iter"):
            args = tuple(
                texts.limited(arg) if isinstance(arg, range) or hasattr(arg, "__next__") else arg for arg in args
            )
        try:
            return callee(*args, **kwargs)
        except (Undecidable, ProgramError):
            raise
        except Exception as error:
            raise ProgramError(error) from error

    def construct(self, cls: ClassValue, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if cls.is_enum():
            return self._enum_call(cls, args)
        if cls.name == "LazyLoader" and len(args) == 3 and isinstance(args[2], str):
            return self.module_value(args[2])
        bases = cls.external_bases()
        if "dict" in bases and cls.lookup("__init__") is None and cls.lookup("__new__") is None:
            return dict(*args, **kwargs)
        instance = Instance(cls, args, kwargs)
        if cls.is_record() and not args:
            instance.attrs.update(kwargs)
        elif (init := cls.owner_of("__init__")) is not None:
            try:
                function = init.member("__init__")
                self.run(function.bound(instance), args, kwargs)
            except (Undecidable, ProgramError):
                instance.attrs.clear()
        return instance

    @staticmethod
    def _enum_call(cls: ClassValue, args: tuple[Any, ...]) -> Any:
        for member in cls.members():
            if args and (member is args[0] or member.value == args[0]):
                return member
        raise ProgramError(ValueError(f"not a valid {cls.name}"))

    # -- attributes ------------------------------------------------------------------------------

    def attribute(self, value: Any, name: str, text: str) -> Any:
        """`value.name`; raises ProgramError(AttributeError) where the program would."""
        if isinstance(value, Unknown):
            return Unknown(text)
        if isinstance(value, External):
            if name == "__module__":
                return value.name.rpartition(".")[0]
            return stdlib.resolve(self.hosts, f"{value.name}.{name}")
        if isinstance(value, ModuleRef):
            return self._module_attribute(value, name)
        if isinstance(value, ClassValue):
            return self._class_attribute(value, name)
        if isinstance(value, Instance):
            return self._instance_attribute(value, name)
        if isinstance(value, Member):
            return self._member_attribute(value, name)
        if isinstance(value, LazyType):
            return getattr(value, name)
        if isinstance(value, Function):
            return self._function_attribute(value, name)
        if (guarded := texts.method(value, name)) is not None:
            return Host(name, guarded)
        if isinstance(value, HostObject) or (isinstance(value, _PLAIN) and not name.startswith("_")):
            result = getattr(value, name, MISSING)
            if result is MISSING and name != "default" and name != "default_factory":
                raise ProgramError(AttributeError(name))
            return result.value() if isinstance(result, LazyType) else result
        if isinstance(value, Missing):
            raise ProgramError(AttributeError(name))
        if isinstance(value, type):
            if name in ("__name__", "__module__", "__qualname__"):
                return getattr(value, name)
            method = getattr(value, name, None)
            if method is not None and not name.startswith("_") and value in _PLAIN and name not in _UNBOUND:
                return method
            raise Undecidable(text)
        if name == "__module__":
            return getattr(value, "__module__", "typing")
        if typing.get_origin(value) is not None or value is None:
            raise ProgramError(AttributeError(name))
        raise Undecidable(text)

    def _module_attribute(self, value: ModuleRef, name: str) -> Any:
        return self.imported(value.name, name)

    def _class_attribute(self, cls: ClassValue, name: str) -> Any:
        if name in ("__name__", "__qualname__"):
            return cls.name
        if name == "__module__":
            return cls.module.name
        if name == "__doc__":
            return ast.get_docstring(cls.node)
        if name == "__members__" and cls.is_enum():
            return {m.name: m for m in cls.members()}
        if name == "__mro__":
            return tuple(cls.mro())
        try:
            value = cls.member(name)
        except KeyError:
            if any(isinstance(base, Unknown | External) for base in cls.mro()):
                return Unknown(f"{cls.name}.{name}")
            raise ProgramError(AttributeError(name)) from None
        if value in ({}, []) if isinstance(value, dict | list) else False:
            return self._registry(cls, name)
        return value

    def _registry(self, cls: ClassValue, name: str) -> Any:
        """An empty container of a class is a registry filled at import: never read as empty."""
        node = cls.lookup(name)
        if isinstance(node, ast.AnnAssign) and cls.is_record():
            return cls.member(name)
        if cls.lookup("register_module") is not None and isinstance(cls.member(name), dict):
            return {key: External(key) for key in registered(self.tree, cls)}
        return Unknown(f"{cls.name}.{name}")

    def _instance_attribute(self, value: Instance, name: str) -> Any:
        if name in value.attrs:
            return value.attrs[name]
        if name == "__class__":
            return value.cls
        owner = value.cls.owner_of(name)
        if owner is None:
            return Unknown(f"{value.cls.name}().{name}")
        member = value.cls.member(name)
        if isinstance(member, Function):
            if member.kind == "property":
                return self.run(member.bound(value), (), {})
            return member.bound(value) if member.kind == "function" else member
        if isinstance(member, FieldInfo):
            factory = member.default_factory
            return self.apply(factory, (), {}, name) if callable(factory) else Unknown(name)
        return member

    def _member_attribute(self, member: Member, name: str) -> Any:
        if name in ("value", "name", "_value_", "_name_"):
            return getattr(member, name.strip("_"))
        if member.cls.owner_of(name) is not None:
            found = member.cls.member(name)
            if isinstance(found, Function) and found.kind == "property":
                return self.run(found.bound(member), (), {})
            if isinstance(found, Function) and found.kind == "function":
                return found.bound(member)
            return found
        if isinstance(member.value, str) and member.cls.enum_mixin() and not name.startswith("_"):
            return self.attribute(member.value, name, name)
        raise Undecidable(f"{member!r}.{name}")

    @staticmethod
    def _function_attribute(function: Function, name: str) -> Any:
        if name in ("__name__", "__qualname__"):
            return function.name
        if name == "__doc__":
            return None if isinstance(function.node, ast.Lambda) else ast.get_docstring(function.node)
        if name == "__module__":
            return function.module.name
        if name == "__wrapped__":
            return function
        raise Undecidable(f"{function.name}.{name}")

    # -- truth -----------------------------------------------------------------------------------

    @staticmethod
    def truth(value: Any) -> bool:
        if isinstance(value, Member):
            return bool(value.plain())
        if isinstance(value, Function | ClassValue | ModuleRef | Host | HostObject):
            return True
        if value in (MISSING, UNDEFINED) if isinstance(value, type(MISSING)) else False:
            return True
        return bool(value)


def _name_of(callee: Any) -> str:
    return callee.name if isinstance(callee, Host) else str(getattr(callee, "__name__", ""))
