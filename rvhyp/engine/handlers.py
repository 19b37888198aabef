"""All handlers of the interpreter, and the core's entry points, as one text of LLVM IR."""
from __future__ import annotations

from rvhyp.engine.handlertext import (
    CONVENTION,
    METADATA,
    HandlerText,
    continue_at,
    enter_line,
)
from rvhyp.engine.shells import shell
from rvhyp.engine.tables import HANDLERS, Handler
from rvhyp.engine.trace import DECLARATIONS, Symbol
from rvhyp.hart.state import KEPT, MIXED_ENTRIES, OFFSET, TLB_ENTRIES
from rvhyp.isa.rule import RULES

BUILTINS = ("run", "return_to_guest", "run_covered")        # entry points that Python calls
BYTES_HEADER = bytes.__basicsize__ - 1          # where the contents of a bytes object begin


def write_handler(handler: Handler) -> list[HandlerText]:
    """The functions of one handler: hot, and for a single instruction the slow one."""
    t = HandlerText(handler.name)
    falls = True
    for number, part in enumerate(handler.parts):
        if number:
            t.uop = t.at(t.uop, 8 * handler.parts[number - 1].length)
            t.results.append(None)
        t.links = part.links
        falls = shell(part).hot(t)
    if falls:
        t.next(handler.parts[-1].length)
    functions = [t]
    if len(handler.parts) == 1:
        one = shell(handler.parts[0])
        slow = HandlerText(one.slow_name)
        one.cold(slow)
        if slow.lines:
            functions.append(slow)
    return functions


def write_special() -> list[HandlerText]:
    """Handlers that stand for no instruction, and the cold ends of the others."""
    functions = []

    def define(name):
        t = HandlerText(name)
        functions.append(t)
        return t

    # Undecoded: decode from here, then go on at the same pc.  Nothing was counted for an undecoded slot.
    t = define("decode")
    pc = t.sync()
    slot = (pc & 0xFFF) >> 1
    t.call("decode_at", t.get("page"), slot)
    continue_at(t, pc, t.get("budget"))

    t = define("page_end")
    continue_at(t, t.pc(), Symbol(t, "%K"))

    t = define("straddle")
    t.sync()
    t.tail("step")

    t = define("illegal_instruction")
    t.sync()
    t.call("illegal")
    t.tail("fault")

    t = define("refused")                   # an illegal instruction found by a slow path, which has synced
    t.call("illegal")
    t.tail("fault")

    # A trap, or a reason to leave, is in the record; pc and budget are those of the instruction.
    t = define("fault")
    t.unlikely(t.get("fault") == 2, "leave")
    t.call("find_insn")
    t.unlikely(t.call("deliver") != 0, "leave")
    t.tail("resume")

    t = define("leave")
    t.line("ret void")

    t = define("resume")                    # at pc, with budget, both in the record
    continue_at(t, t.get("pc"), t.get("budget"))

    t = define("resume_slow")               # the page of pc is not in the fetch TLB
    t.unlikely(t.get("budget") == 0, "out_of_budget")
    page = t.call("fetch_page")
    t.unlikely(t.get("fault") != 0, "fault")
    t.unlikely(page == 1, "step")
    target = t.get("pc")
    enter_line(t, target, target & ~0xFFF, page, t.get("budget"))

    t = define("slice_end")                 # a local branch would overrun the slice: uop is its target
    t.sync()
    t.tail("step")

    t = define("step")                      # the slice may end within this line: run one instruction alone
    t.unlikely(t.get("budget") == 0, "out_of_budget")
    t.tail("step_now")

    t = define("step_now")
    t.unlikely(t.call("prepare_step") == 0, "fault")
    scratch = t.value(f"inttoptr i64 {t.get('scratch').name} to ptr")
    t.dispatch(scratch, t.get("budget") - 1)

    t = define("step_covered")              # the same for a program whose coverage is wanted
    t.unlikely(t.call("prepare_step") == 0, "fault")
    t.call("coverage_look")
    scratch = t.value(f"inttoptr i64 {t.get('scratch').name} to ptr")
    t.dispatch(scratch, t.get("budget") - 1)

    t = define("out_of_budget")             # or after a device access: an interrupt may be due
    t.put("resync", 0)
    t.unlikely(t.call("reschedule") != 0, "leave")
    t.tail("resume")

    t = define("settle")                    # after a SYSTEM instruction: next_pc is set
    t.unlikely(t.call("finish_system") != 0, "leave")
    t.tail("resume")

    for length in (2, 4):
        t = define(f"settle.{length}")      # after a CSR instruction that may have changed anything
        t.put("next_pc", t.get("pc") + length)
        t.tail("settle")

        # After a slow access: decoded code, and even this uop, may have been forgotten, and a watched word written.
        t = define(f"next.{length}")
        t.put("pc", t.get("pc") + length)
        t.put("budget", t.get("budget") - 1)
        t.unlikely(t.get("watch_hit") != 0, "watched")
        t.unlikely(t.get("resync") != 0, "out_of_budget")
        t.tail("resume")

    t = define("watched")
    t.put("watch_hit", 0)
    t.put("reason", 4)
    t.line("ret void")
    return functions


ENTRY_POINTS = f"""
define i64 @run(ptr %hart) #0 {{
entry:
  %h = ptrtoint ptr %hart to i64
  %stop = call i64 @"rule.begin"(i64 %h)
  %stopped = icmp ne i64 %stop, 0
  br i1 %stopped, label %done, label %go
go:
  call {CONVENTION} void @resume(ptr null, ptr %hart, i64 0)
  br label %done
done:
  %end = call i64 @"rule.end"(i64 %h)
  ret i64 %end
}}
define i64 @return_to_guest(ptr %hart) #0 {{
entry:
  %h = ptrtoint ptr %hart to i64
  %x = call i64 @"rule.return_to_guest"(i64 %h)
  %r = call i64 @run(ptr %hart)
  ret i64 %r
}}
define i64 @run_covered(ptr %hart) #0 {{
entry:
  %h = ptrtoint ptr %hart to i64
  %start = call i64 @"rule.coverage_start"(i64 %h)
  %stop = call i64 @"rule.begin"(i64 %h)
  %stopped = icmp ne i64 %stop, 0
  br i1 %stopped, label %after, label %again
again:
  %before = call i64 @"rule.coverage_before"(i64 %h)
  %is_own = icmp ne i64 %before, 0
  br i1 %is_own, label %step, label %go
step:
  call {CONVENTION} void @step_covered(ptr null, ptr %hart, i64 0)
  br label %after
go:
  call {CONVENTION} void @resume(ptr null, ptr %hart, i64 0)
  br label %after
after:
  %stepped = phi i64 [ 1, %step ], [ 0, %go ], [ 0, %entry ]
  %leave = call i64 @"rule.coverage_after"(i64 %h, i64 %stepped)
  %left = icmp ne i64 %leave, 0
  br i1 %left, label %done, label %again
done:
  %end = call i64 @"rule.end"(i64 %h)
  ret i64 %end
}}
"""


def builtin_text(name: str) -> str:
    """An entry point as the C function of a Python built-in of no arguments (METH_NOARGS; see rvhyp.engine.builtin).

    `self` is a bytes object: the hart's address, what to add to the result's reference count, addresses of the ints 0, 1, 2 ...
    """
    return f"""
define ptr @builtin_{name}(ptr %self, ptr %unused) #0 {{
  %data = getelementptr i8, ptr %self, i64 {BYTES_HEADER}
  %hart = load ptr, ptr %data
  %reason = call i64 @{name}(ptr %hart)
  %at = add i64 %reason, 2
  %cell = getelementptr i64, ptr %data, i64 %at
  %result = load ptr, ptr %cell
  %second = getelementptr i64, ptr %data, i64 1
  %step = load i64, ptr %second
  %count = load i64, ptr %result
  %more = add i64 %count, %step
  store i64 %more, ptr %result
  ret ptr %result
}}
"""


# Rules that Python calls in compiled form, as symbols export.NAME.
EXPORTS = ("prepare_scratch", "notice_write", "csr_read", "csr_write", "load", "store", "inject", "ticks", "next_event",
           "forget_guest", "forget_stale", "update_contexts", "fetch", "return_to_guest", "code_page", "flush_pool",
           "region_decode", "region_install")


# What translated code goes on in or calls, by its place behind the handlers in the core's table.
EXITS = ("resume_slow", "step", "slice_end")
CALLED = ("fp_rounding", "is_plain_atomic", "load_reserved", "store_conditional")         # and all of floating point


def callables() -> list[str]:
    """Symbols that translated code reaches: functions like handlers, rules."""
    import rvhyp.isa.fpu  # noqa: F401
    return [*EXITS, *(f"rule.{name}" for name in CALLED), *(f"rule.{name}" for name in sorted(RULES) if name.startswith("f_"))]


def fill_text(name: str, is_write: bool) -> str:
    """What translated code calls where its own look at the TLB finds nothing: the host's address of the access, or 0.

    It keeps all registers, since these hold the program's.  What is quickly found (beside decoded code; an access that does not
    lie in one page with all others of its group) calls nothing.
    """
    t = HandlerText(name)
    va, size = Symbol(t, "%va"), Symbol(t, "%size")
    probe, found, slow = t.new_label("probe"), t.new_label("found"), t.new_label("slow")
    t.branch((va & 0xFFF) + size <= 4096, probe, slow)
    t.label(probe)
    tag = (va & ~0xFFF) + t.get("data_context")
    entry = t.at(t.at("%hart", OFFSET["write_tlb" if is_write else "read_tlb"]), ((va >> 12) & TLB_ENTRIES - 1) << 4)
    miss = beside = t.new_label("beside") if is_write else slow
    t.branch(Symbol(t, t.load("i64", entry, "hart")) == tag, found, miss)
    t.label(found)
    t.line(f"ret i64 {(va + Symbol(t, t.load('i64', t.at(entry, 8), 'hart'))).name}")
    if is_write:
        t.label(beside)
        clear, mixed = t.new_label("clear"), t.new_label("mixed")
        entry = t.at(t.at("%hart", OFFSET["mixed_tlb"]), ((va >> 12) & MIXED_ENTRIES - 1) << 5)
        t.branch(Symbol(t, t.load("i64", entry, "hart")) == tag, mixed, slow)
        t.label(mixed)
        blocks = Symbol(t, t.load("i64", t.at(entry, 16), "hart"))
        bits = Symbol(t, t.load("i64", t.value(f"inttoptr i64 {blocks.name} to ptr"), "uop"))
        hit = (bits >> ((va >> 6) & 63) | bits >> (((va + size - 1) >> 6) & 63)) & 1
        t.branch(hit == 0, clear, slow)
        t.label(clear)
        t.line(f"ret i64 {(va + Symbol(t, t.load('i64', t.at(entry, 8), 'hart'))).name}")
    t.label(slow)
    result = t.value(f"call preserve_allcc i64 @{name}_slow(ptr %hart, i64 %va, i64 %size)")
    t.line(f"ret i64 {result}")
    body = "\n".join(t.lines)
    return f"""
define preserve_allcc i64 @{name}_slow(ptr %hart, i64 %va, i64 %size) noinline #0 {{
  %h = ptrtoint ptr %hart to i64
  %r = call i64 @"rule.region_fill"(i64 %h, i64 %va, i64 %size, i64 {int(is_write)})
  ret i64 %r
}}
define preserve_allcc i64 @{name}(ptr %hart, i64 %va, i64 %size) #0 {{
entry:
{body}
}}
"""


PLACE_BITS, SIZE_BITS = 16, 16          # of what the next gets in one word: place, size, and above them the limit


def keep_text(name: str, table: str, fill: str) -> str:
    """What translated code calls where an access is not in what is kept at a place: as `fill`, but the page that the TLB has is
    kept there from now on, with a limit; and with it those beside it that the TLB has too, if on the host they are beside it."""
    t = HandlerText(name)
    va, what = Symbol(t, "%va"), Symbol(t, "%what")
    place, size = what & (1 << PLACE_BITS) - 1, what >> PLACE_BITS & (1 << SIZE_BITS) - 1
    probe, found, slow = t.new_label("probe"), t.new_label("found"), t.new_label("slow")
    t.branch((va & 0xFFF) + size <= 4096, probe, slow)
    t.label(probe)
    page = va & ~0xFFF
    entry = t.at(t.at("%hart", OFFSET[table]), ((va >> 12) & TLB_ENTRIES - 1) << 4)
    t.branch(Symbol(t, t.load("i64", entry, "hart")) == page + t.get("data_context"), found, slow)
    t.label(found)
    addend = Symbol(t, t.load("i64", t.at(entry, 8), "hart"))
    before, after = (_is_continued(t, table, page + away, addend).select(4096, 0) for away in (-4096, 4096))
    limit = (what >> PLACE_BITS + SIZE_BITS) + before + after
    for field, value in (("kept_limit", limit), ("kept_page", page - before), ("kept_addend", addend)):
        t.store("i64", value.name, t.at(t.at("%hart", OFFSET[field]), place << 3), "hart")
    t.line(f"ret i64 {(va + addend).name}")
    t.label(slow)
    result = t.value(f"call preserve_allcc i64 @{fill}(ptr %hart, i64 %va, i64 {size.name})")
    t.line(f"ret i64 {result}")
    body = "\n".join(t.lines)
    return f"define preserve_allcc i64 @{name}(ptr %hart, i64 %va, i64 %what) #0 {{\nentry:\n{body}\n}}\n"


def _is_continued(t: HandlerText, table: str, page: Symbol, addend: Symbol) -> Symbol:
    """Whether a TLB has a page of the same context with the same addend."""
    entry = t.at(t.at("%hart", OFFSET[table]), ((page >> 12) & TLB_ENTRIES - 1) << 4)
    tag, other = (Symbol(t, t.load("i64", t.at(entry, offset), "hart")) for offset in (0, 8))
    return ((tag ^ page + t.get("data_context")) | (other ^ addend)) == 0


def clear_text() -> str:
    """What translated code calls where what is kept does not hold any more."""
    t = HandlerText("clear_kept")
    t.put("kept_context", t.get("data_context"))
    for word in range(0, KEPT, 4):
        t.store("<4 x i64>", "zeroinitializer", t.at("%hart", OFFSET["kept_limit"] + 8 * word), "hart", 8)
    body = "\n".join(t.lines)
    return f"define preserve_allcc void @clear_kept(ptr %hart) #0 {{\nentry:\n{body}\n  ret void\n}}\n"


def export_text(name: str) -> str:
    """A global function that calls a rule."""
    count = len(RULES[name].parameters)
    words = ", ".join(f"i64 %a{n}" for n in range(count))
    return (f'define i64 @"export.{name}"({words}) #0 {{\n  %r = call i64 @"rule.{name}"({words})\n  ret i64 %r\n}}\n')


def interpreter_text() -> str:
    """LLVM assembly of all handlers, without the rules they call."""
    functions = write_special()
    for handler in HANDLERS.values():
        if handler.parts:
            functions += write_handler(handler)
    declarations = sorted(set().union(*(f.declarations for f in functions)))
    return "\n".join([*DECLARATIONS, *declarations, *(f.definition() for f in functions), ENTRY_POINTS,
                      *map(builtin_text, BUILTINS), fill_text("fill_read", False), fill_text("fill_write", True),
                      keep_text("keep_read", "read_tlb", "fill_read"), keep_text("keep_write", "write_tlb", "fill_write"),
                      keep_text("keep_either", "write_tlb", "fill_read"), clear_text(),
                      *map(export_text, EXPORTS), METADATA,
                      "attributes #0 = { nounwind strictfp \"no-builtins\" }"])
