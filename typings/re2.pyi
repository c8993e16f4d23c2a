from typing import Any

class Options:
    log_errors: bool
    max_mem: int
    case_sensitive: bool
    never_capture: bool

class error(Exception): ...

def compile(pattern: str, options: Options | None = ...) -> Any: ...
def escape(pattern: str) -> str: ...
