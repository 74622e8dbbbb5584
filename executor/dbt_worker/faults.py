"""What an exception says, as heddle wants it told."""
import re

ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def plain(text):
    return None if text is None else ANSI.sub("", str(text)).replace("\0", "\ufffd")


def fault_of(exc):
    """An exception as classes, outermost first, and the database's code for it."""
    types, code, seen = [], None, set()
    while exc is not None and id(exc) not in seen and len(types) < 16:
        seen.add(id(exc))
        kind = type(exc)
        types.append("%s.%s" % (kind.__module__, kind.__qualname__))
        if code is None and not isinstance(exc, OSError):
            code = code_of(exc)
        exc = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    return {"types": types, "code": code}


def code_of(exc):
    """SQLSTATE (psycopg, snowflake: an attribute; pyodbc, redshift: the first argument) or an
    HTTP status (google)."""
    for name in ("pgcode", "sqlstate", "code"):
        value = getattr(exc, name, None)
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            return str(int(value)) if isinstance(value, int) else value
    first = exc.args[0] if exc.args else None
    if isinstance(first, dict):
        first = first.get("C")
    if isinstance(first, str) and re.fullmatch(r"[0-9A-Z]{5}", first):
        return first
    return None
