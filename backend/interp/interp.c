/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interpreter as a host backend. "Compiling" keeps a copy of the IR; entering walks it.
 *
 * Exact state. While a region runs, memory holds the entry values of the guest's slots, as in translated code. When
 * the thread is stopped by a fault, the state is found in the IR itself: the state list of the block that was being
 * executed, then the BINDs from the block's start up to the faulting instruction say which value each slot has by
 * then, and the last INSN says the guest address. What is running is in a struct frame, which cpu->dispatcher_sp
 * points to meanwhile.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "backend/interp/interp.h"
#include "translator/backend.h"
#include "translator/softfp.h"

/* region.backend_data: one piece of memory that the arrays of `ir` lie in too. */
struct program {
    struct ir ir;
    struct region *region;
    bool profile;
    uint32_t nvalues; /* ir.ninsns, and as many again as an edge has arguments */
};

/* One activation of enter(). */
struct frame {
    const struct program *program;
    struct cpu *cpu;
    const struct guest_isa *isa;
    union interp_value *values; /* by ir_ref */
    uint32_t block, insn;       /* being executed */
    volatile bool accessing;    /* guest memory, at `insn` */
    jmp_buf out;                /* into enter() */
};

struct interp {
    const struct guest_isa *isa;
};

/* ---- life of the backend and of regions ------------------------------------------------------------------------- */

static const char *interp_missing(void)
{
    return NULL;
}

static void *interp_create(struct code_cache *cache, const struct guest_isa *isa, const struct backend_options *options)
{
    (void)cache;
    (void)options;
    struct interp *interp = malloc(sizeof *interp);
    if (interp) {
        interp->isa = isa;
    }
    return interp;
}

static void interp_destroy(void *backend)
{
    free(backend);
}

static uint32_t interp_bound(const struct ir *ir)
{
    (void)ir;
    return 0;
}

static void *append_array(uint8_t **end, const void *from, size_t size)
{
    void *copy = *end;
    if (size != 0) {
        memcpy(copy, from, size);
    }
    *end += (size + 15) & ~(size_t)15;
    return copy;
}

static bool interp_compile(void *backend, struct ir *ir, struct region *region, uint8_t *rw, const uint8_t *rx,
                           uint32_t capacity, bool profile)
{
    (void)backend;
    (void)rw;
    (void)rx;
    (void)capacity;
    size_t insns = ir->ninsns * sizeof *ir->insns, blocks = ir->nblocks * sizeof *ir->blocks;
    size_t edge_args = ir->nedge_args * sizeof *ir->edge_args, states = ir->nstates * sizeof *ir->states;
    size_t head = (sizeof(struct program) + 15) & ~(size_t)15;
    struct program *program = malloc(head + insns + blocks + edge_args + states + 4 * 15);
    if (!program) {
        return false;
    }
    uint8_t *end = (uint8_t *)program + head;
    *program = (struct program){.region = region, .profile = profile};
    program->ir = (struct ir){
        .ninsns = ir->ninsns,
        .nblocks = ir->nblocks,
        .nedge_args = ir->nedge_args,
        .nstates = ir->nstates,
        .guest_pc = ir->guest_pc,
        .guest_insns = ir->guest_insns,
        .insns = append_array(&end, ir->insns, insns),
        .blocks = append_array(&end, ir->blocks, blocks),
        .edge_args = append_array(&end, ir->edge_args, edge_args),
        .states = append_array(&end, ir->states, states),
    };
    uint32_t widest = 0;
    for (uint32_t i = 0; i < ir->nblocks; i++) {
        for (unsigned k = 0; k < 2; k++) {
            const struct ir_edge *edge = &ir->blocks[i].succ[k];
            if (edge->target != IR_NONE && edge->nargs > widest) {
                widest = edge->nargs;
            }
        }
    }
    program->nvalues = ir->ninsns + widest;

    region->code = NULL;
    region->code_size = 0;
    region->exits = NULL; /* every exit goes by the dispatcher */
    region->nexits = 0;
    region->statemap = NULL;
    region->statemap_size = 0;
    region->backend_data = program;
    return true;
}

static void interp_patch(void *backend, struct code_exit *exit, const struct region *target, ptrdiff_t rx_to_rw)
{
    (void)backend;
    (void)exit;
    (void)target;
    (void)rx_to_rw;
}

static void interp_reset_returns(void *backend, struct cpu *cpu)
{
    (void)backend;
    (void)cpu;
}

/* ---- guest state ------------------------------------------------------------------------------------------------ */

static uint8_t *slot_bytes(const struct frame *frame, uint64_t slot)
{
    return (uint8_t *)frame->cpu + frame->isa->slots[slot].offset;
}

static void read_slot(const struct frame *frame, uint64_t slot, union interp_value *value)
{
    *value = (union interp_value){.half = {0, 0}};
    memcpy(value, slot_bytes(frame, slot), ir_type_size(frame->isa->slots[slot].type));
}

static void write_slot(const struct frame *frame, uint64_t slot, ir_ref ref)
{
    memcpy(slot_bytes(frame, slot), &frame->values[ref], ir_type_size(frame->isa->slots[slot].type));
}

/* Brings memory up to the state before the instruction being executed. Later values of a slot overwrite earlier ones:
   values are never read from memory here. */
static void write_state(const struct frame *frame)
{
    const struct ir *ir = &frame->program->ir;
    const struct ir_block *block = &ir->blocks[frame->block];
    frame->cpu->pc = block->guest_pc;
    for (uint32_t i = 0; i < block->nstate; i++) {
        const struct ir_state *state = &ir->states[block->first_state + i];
        write_slot(frame, state->slot, state->value);
    }
    for (uint32_t i = block->first; i < frame->insn; i++) {
        const struct ir_insn *insn = &ir->insns[i];
        if (insn->op == IR_INSN) {
            frame->cpu->pc = insn->imm;
        } else if (insn->op == IR_BIND) {
            write_slot(frame, insn->imm, insn->arg[0]);
        }
    }
}

/* ---- execution -------------------------------------------------------------------------------------------------- */

static void fetch_arguments(const struct frame *frame, const struct ir_insn *insn, union interp_value arg[4])
{
    unsigned n = ir_nargs(insn);
    for (unsigned i = 0; i < 4; i++) {
        arg[i] = i < n && insn->arg[i] != IR_NONE ? frame->values[insn->arg[i]] : (union interp_value){.half = {0, 0}};
    }
}

/* Passes the edge's values to the parameters of its target, all at once: a parameter may be the argument of another. */
static void take_edge(struct frame *frame, const struct ir_edge *edge)
{
    const struct ir *ir = &frame->program->ir;
    const struct ir_block *target = &ir->blocks[edge->target];
    union interp_value *passed = frame->values + ir->ninsns;
    for (uint32_t i = 0; i < edge->nargs; i++) {
        passed[i] = frame->values[ir->edge_args[edge->first_arg + i]];
    }
    uint32_t done = 0;
    for (uint32_t i = target->first; done < edge->nargs && i < target->end; i++) {
        if (ir->insns[i].op == IR_PARAM) {
            frame->values[i] = passed[done++];
        }
    }
    frame->block = edge->target;
    frame->insn = target->first;
}

static void leave_with(struct frame *frame, enum cpu_exit reason, uint64_t pc)
{
    frame->cpu->exit_reason = reason;
    frame->cpu->pc = pc;
}

/* Executes a terminator. False: it left the region. */
static bool execute_terminator(struct frame *frame, const struct ir_insn *insn, const union interp_value arg[4])
{
    const struct ir_block *block = &frame->program->ir.blocks[frame->block];
    switch (insn->op) {
    case IR_JUMP:
        take_edge(frame, &block->succ[0]);
        return true;
    case IR_BRANCH:
        take_edge(frame, &block->succ[arg[0].u64 ? 0 : 1]);
        return true;
    case IR_EXIT:
    case IR_EXIT_CALL:
        leave_with(frame, CPU_EXIT_LOOKUP, insn->imm);
        break;
    case IR_EXIT_IND:
    case IR_EXIT_INDCALL:
    case IR_EXIT_RET:
        frame->cpu->branch_kind = insn->mode;
        leave_with(frame, CPU_EXIT_LOOKUP, arg[0].u64);
        break;
    case IR_EXIT_TRAP:
        frame->cpu->trap = insn->mode;
        frame->cpu->trap_info = (uint32_t)insn->imm2;
        leave_with(frame, CPU_EXIT_TRAP, insn->imm);
        break;
    }
    return false;
}

/* Executes an instruction with a side effect or a value from elsewhere than its arguments. */
static void execute_effect(struct frame *frame, const struct ir_insn *insn, const union interp_value arg[4],
                           union interp_value *result)
{
    switch (insn->op) {
    case IR_PREFETCH:
    case IR_NOP:
    case IR_PARAM: /* has its value from the edge */
    case IR_BIND:
    case IR_INSN:
        break;
    case IR_CONST:
    case IR_PC:
        result->half[0] = insn->imm;
        result->half[1] = insn->type == IR_V128 ? insn->imm2 : 0;
        break;
    case IR_GET:
        read_slot(frame, insn->imm, result);
        break;
    case IR_SET:
        write_slot(frame, insn->imm, insn->arg[0]);
        break;
    case IR_LOAD:
    case IR_STORE:
    case IR_STORE_EXCL:
    case IR_CAS:
    case IR_RMW:
        frame->accessing = true;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        interp_access(insn, arg, result);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        frame->accessing = false;
        break;
    case IR_FENCE:
        interp_fence(insn);
        break;
    case IR_CALL:
        interp_call(insn, frame->cpu, arg, result);
        break;
    }
}

static void execute_value(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    interp_function *function = interp_int_function(insn->op);
    if (!function) {
        function = interp_vec_function(insn->op);
    }
    if (function) {
        function(insn, arg, result);
    } else {
        const __m128i operands[3] = {arg[0].vector, arg[1].vector, arg[2].vector};
        softfp_eval_ir(insn, operands, &result->vector);
    }
}

static void run(struct frame *frame)
{
    const struct ir *ir = &frame->program->ir;
    for (;;) {
        const struct ir_insn *insn = &ir->insns[frame->insn];
        unsigned attributes = ir_info(insn)->attrs;
        union interp_value arg[4];

        fetch_arguments(frame, insn, arg);
        if (attributes & IR_ATTR_TERM) {
            if (!execute_terminator(frame, insn, arg)) {
                return;
            }
            continue;
        }
        if (insn->op == IR_POLL) {
            if (__atomic_load_n(&frame->cpu->interrupt, __ATOMIC_RELAXED)) {
                write_state(frame);
                leave_with(frame, CPU_EXIT_INTERRUPT, insn->imm);
                return;
            }
        } else if (insn->op == IR_GUARD) {
            if (arg[0].half[0] & UINT32_MAX) {
                write_state(frame);
                frame->cpu->trap = insn->mode;
                frame->cpu->trap_info = (uint32_t)insn->imm2;
                leave_with(frame, CPU_EXIT_TRAP, insn->imm);
                return;
            }
        } else if (insn->op != IR_PARAM) {
            union interp_value *result = &frame->values[frame->insn];
            *result = (union interp_value){.half = {0, 0}};
            if (insn->op != IR_CONST && insn->op != IR_PC && attributes & (IR_ATTR_PURE | IR_ATTR_FPSR)) {
                execute_value(insn, arg, result);
            } else {
                execute_effect(frame, insn, arg, result);
            }
        }
        frame->insn++;
    }
}

static void interp_enter(void *backend, struct cpu *cpu, const struct region *region)
{
    const struct interp *interp = backend;
    const struct program *program = region->backend_data;
    if (program->profile && __atomic_sub_fetch(program->region->countdown, 1, __ATOMIC_RELAXED) < 0) {
        cpu->exit_reason = CPU_EXIT_HOT;
        cpu->exit_site = program->region;
        cpu->pc = region->guest_pc;
        return;
    }

    /* In small regions the values fit on the stack; a large one is not worth its thousands of page touches there. */
    union interp_value few[512];
    struct frame frame = {.program = program, .cpu = cpu, .isa = interp->isa, .values = few};
    if (program->nvalues > sizeof few / sizeof *few) {
        frame.values = aligned_alloc(16, program->nvalues * sizeof *few);
        if (!frame.values) {
            fprintf(stderr,
                    "dragoman: out of memory while interpreting (%zu bytes); free memory or lower the region size\n",
                    program->nvalues * sizeof *few);
            exit(1);
        }
    }
    union interp_value *volatile values = frame.values;
    const uint32_t host_mxcsr = _mm_getcsr();
    void *const outer = cpu->dispatcher_sp;
    cpu->dispatcher_sp = &frame;
    _mm_setcsr(cpu->mxcsr);
    if (_setjmp(frame.out) == 0) {
        frame.insn = program->ir.blocks[0].first;
        run(&frame);
    } else {
        cpu->exit_reason = CPU_EXIT_FAULT;
    }
    cpu->mxcsr = _mm_getcsr();
    _mm_setcsr(host_mxcsr);
    cpu->dispatcher_sp = outer;
    if (values != few) {
        free(values);
    }
}

/* ---- faults ----------------------------------------------------------------------------------------------------- */

static bool interp_fixup(void *backend, struct cpu *cpu, int sig, uint64_t fault_address, ucontext_t *uc)
{
    (void)backend;
    (void)cpu;
    (void)sig;
    (void)fault_address;
    (void)uc;
    return false;
}

static bool interp_recover(void *backend, struct cpu *cpu, ucontext_t *uc)
{
    (void)backend;
    (void)uc;
    struct frame *frame = cpu->dispatcher_sp;
    if (!frame || !frame->accessing) {
        return false;
    }
    write_state(frame);
    return true;
}

static __attribute__((noreturn)) void jump_out(struct frame *frame)
{
    _longjmp(frame->out, 1);
}

/* The handler is left first, in the ordinary way: that restores the signal mask and the guest's MXCSR. */
static void interp_leave(void *backend, struct cpu *cpu, ucontext_t *uc)
{
    (void)backend;
    greg_t *regs = uc->uc_mcontext.gregs;
    regs[REG_RIP] = (greg_t)(uintptr_t)jump_out;
    regs[REG_RDI] = (greg_t)(uintptr_t)cpu->dispatcher_sp;
    regs[REG_RSP] = ((regs[REG_RSP] - 128) & ~(greg_t)15) - 8; /* below the red zone, aligned as after a call */
}

const struct host_backend backend_interp = {
    .name = "interp",
    .missing = interp_missing,
    .create = interp_create,
    .destroy = interp_destroy,
    .bound = interp_bound,
    .compile = interp_compile,
    .patch = interp_patch,
    .enter = interp_enter,
    .reset_returns = interp_reset_returns,
    .fixup = interp_fixup,
    .leave = interp_leave,
    .recover = interp_recover,
    .capstone_arch = -1,
};
