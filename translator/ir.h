/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The intermediate representation: SSA over a control-flow graph with block parameters.
 *
 * One `struct ir` is one region: a graph of blocks with one entry (block 0). All of it lives in growable arrays owned
 * by the struct and is reused from one compilation to the next (`ir_reset`): references are 32-bit indices, never
 * pointers.
 *
 * A block is a contiguous range of instructions. Its first instructions are its PARAMs, its last is its only
 * terminator. An edge passes one value for each parameter of its target. Deleted instructions become NOP in place.
 *
 * Guest state. A region reads a state slot with GET (the value at region entry; in block 0 only) and writes it with
 * SET, which stands only between the last ordinary instruction of a block and the terminator, and only where every
 * successor leaves the region. So inside a region memory holds the *entry* values of all slots; where a later value is,
 * at each point that can fault, is told by the state at the block's start (ir_block.first_state: every slot that is not
 * listed there holds its entry value, in memory) and by the BIND and INSN markers from there on: see "state maps" in
 * backend.h. A block tells its whole state itself: nothing flows from the BINDs of the blocks before it.
 *
 * Nothing here knows a guest or a host. Not thread-safe: one `struct ir` belongs to one compilation.
 */
#ifndef DRAGOMAN_TRANSLATOR_IR_H
#define DRAGOMAN_TRANSLATOR_IR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum ir_type { IR_VOID, IR_I32, IR_I64, IR_F32, IR_F64, IR_V128, IR_TYPE_COUNT };

enum ir_op {
#define OP(name, text, result, args, attrs) IR_##name,
#include "translator/ir_ops.inc"
#undef OP
    IR_OP_COUNT
};

/* Attributes of an operation (ir_ops.inc). */
enum {
    IR_ATTR_PURE = 1 << 0,
    IR_ATTR_FPSR = 1 << 1,
    IR_ATTR_FAULT = 1 << 2,
    IR_ATTR_MEMRD = 1 << 3,
    IR_ATTR_MEMWR = 1 << 4,
    IR_ATTR_STATE = 1 << 5,
    IR_ATTR_TERM = 1 << 6,
    IR_ATTR_COMM = 1 << 7,
};

/* What insn.type may be (column RESULT). */
enum ir_result { IR_RES_NONE, IR_RES_I32, IR_RES_I64, IR_RES_INT, IR_RES_FLT, IR_RES_V, IR_RES_ANY };

struct ir_op_info {
    const char *text;
    const char *args; /* letters as in ir_ops.inc */
    uint8_t nargs;
    uint8_t result; /* enum ir_result */
    uint16_t attrs; /* IR_ATTR_* */
};
extern const struct ir_op_info ir_op_table[IR_OP_COUNT];

/* Integer comparison, CMP.mode. `x ^ 1` is the negation. */
enum ir_cc { IR_EQ, IR_NE, IR_ULT, IR_UGE, IR_ULE, IR_UGT, IR_SLT, IR_SGE, IR_SLE, IR_SGT, IR_CC_COUNT };

/* Conditions on flags, COND.mode and FCMP.mode. `x ^ 1` is the negation. */
enum ir_flag_cond {
    IR_FLAG_EQ, IR_FLAG_NE, /* Z, !Z */
    IR_FLAG_CS, IR_FLAG_CC, /* C, !C */
    IR_FLAG_MI, IR_FLAG_PL, /* N, !N */
    IR_FLAG_VS, IR_FLAG_VC, /* V, !V */
    IR_FLAG_HI, IR_FLAG_LS, /* C && !Z, the negation */
    IR_FLAG_GE, IR_FLAG_LT, /* N == V, N != V */
    IR_FLAG_GT, IR_FLAG_LE, /* !Z && N == V, the negation */
    IR_FLAG_COND_COUNT
};
#define IR_FCMP_COND(mode) ((enum ir_flag_cond)((mode) & 15))
#define IR_FCMP_SIGNAL 16      /* FCMP.mode: quiet NaNs raise invalid too */
#define IR_FLAGS_FCMP_SIGNAL 1 /* FLAGS_FCMP.mode: the same */
#define IR_FCMP_COVERED 2      /* FLAGS_FCMP.mode: an FCMP of the same operands exists: this may be removed when unused */

/* Packed flags: the layout that LAHF and SETO leave in AX. Bits 7:1 are zero, the other bits of the word are undefined. */
#define IR_FLAG_N 0x8000u
#define IR_FLAG_Z 0x4000u
#define IR_FLAG_NOT_C 0x0100u /* set when the guest's carry is CLEAR */
#define IR_FLAG_V 0x0001u
#define IR_FLAGS_MASK (IR_FLAG_N | IR_FLAG_Z | IR_FLAG_NOT_C | IR_FLAG_V)

enum ir_round {
    IR_ROUND_NEAREST, IR_ROUND_UP, IR_ROUND_DOWN, IR_ROUND_ZERO, IR_ROUND_AWAY /* ties away */, IR_ROUND_CURRENT
};
#define IR_ROUND(mode) ((enum ir_round)((mode) & 7))
#define IR_ROUND_INEXACT 8 /* FRINT.mode: raise inexact */
#define IR_ROUND_TO_64 8   /* VFRINTN.mode: the range is that of 64-bit integers, else of 32-bit ones */
/* FTOSI … VFTOUI.mode: an enum ir_round, or to fixed point with 1 … 64 bits of fraction, rounded toward zero. */
#define IR_FIXED(fraction) ((fraction) + 7)
#define IR_FRACTION(mode) ((mode) > 7 ? (mode) - 7u : 0)

/* Memory operations' mode. */
#define IR_MEM_SIGNED 1                      /* LOAD: sign-extend to the type */
#define IR_MEM_SCALE(mode) (((mode) >> 1) & 3) /* left shift of the index, 0..3 */
#define IR_MEM_SCALE_BITS(shift) ((shift) << 1)
#define IR_MEM_ORDERED 8                     /* acquire on a LOAD; release, sequentially consistent, on a STORE */

enum ir_rmw { IR_RMW_ADD, IR_RMW_AND, IR_RMW_OR, IR_RMW_XOR, IR_RMW_SMAX, IR_RMW_SMIN, IR_RMW_UMAX, IR_RMW_UMIN,
             IR_RMW_XCHG, IR_RMW_COUNT };
enum ir_fence { IR_FENCE_FULL, IR_FENCE_LOAD, IR_FENCE_STORE };

/*
 * STORE_EXCL: arg0 address, arg1 the armed address (i64), arg2 the expected value, arg3 the new one (both i64, low size
 * bytes count, for size 1..8; both v128 for size 16). If arg0 == arg1 and the size bytes at arg0 equal the expected
 * ones, the new ones are stored, atomically, result 0; else nothing is stored, result 1.
 */

#define IR_NONE UINT32_MAX /* no reference */

typedef uint32_t ir_ref; /* index of the instruction that defines the value */

struct ir_insn {
    uint8_t op;   /* enum ir_op */
    uint8_t type; /* enum ir_type of the result, IR_VOID for none */
    uint8_t size; /* bytes: lane, access or source, see ir_ops.inc */
    uint8_t mode;
    uint32_t scratch; /* for the pass or backend at work; no meaning between them */
    uint64_t imm;
    union {
        ir_ref arg[4]; /* IR_NONE where there is none */
        struct {
            ir_ref arg01[2];
            uint64_t imm2;
        };
    };
};
_Static_assert(sizeof(struct ir_insn) == 32, "two instructions a cache line");

struct ir_edge {
    uint32_t target;           /* block, IR_NONE for no edge */
    uint32_t first_arg, nargs; /* range in ir.edge_args: one value for each PARAM of the target, in order */
};

/* At the start of a block the slot holds this value: a PARAM of the block, or a value that dominates it. */
struct ir_state {
    uint32_t slot;
    ir_ref value;
};

struct ir_block {
    uint32_t first, end; /* range [first, end) in ir.insns */
    uint32_t nparams;    /* the first nparams non-NOP instructions are PARAMs */
    struct ir_edge succ[2];
    /* Range in ir.states, a slot at most once; as many as a fault point in the block can see. Each is a use of its value,
       up to the last fault point before the slot's first BIND. */
    uint32_t first_state, nstate;
    uint64_t guest_pc;  /* address of its first guest instruction */
    uint8_t loop_depth; /* 0 outside loops */
    bool cold;          /* rarely executed: an exit block or so; emitted out of line */
    bool edge;          /* has one predecessor and a JUMP: a pass put it on an edge (ir_edit_split()). In ir.order it stands right
                           after the block that it is reached from */
};

/* Helper functions that CALL names: C functions with declared effects. Arguments and result are passed by the host's C
   ABI as uint32_t, uint64_t, float, double or __m128i by their types. */
enum {
    IR_HELPER_PURE = 1 << 0,  /* no effect, same result for same arguments */
    IR_HELPER_CPU = 1 << 1,   /* takes `struct cpu *` as first C argument, before the IR arguments; may read and write
                                 those state slots that are declared unpromoted (isa.h), no others */
    IR_HELPER_MEM = 1 << 2,   /* reads or writes guest memory (never faults: the helper guards its accesses) */
};
struct ir_helper {
    const char *name;
    void *function;
    uint8_t flags;   /* IR_HELPER_* */
    uint8_t result;  /* enum ir_type */
    uint8_t args[4]; /* enum ir_type, IR_VOID from the first unused on */
};

struct ir {
    struct ir_insn *insns;
    uint32_t ninsns, insns_capacity;
    struct ir_block *blocks;
    uint32_t nblocks, blocks_capacity;
    ir_ref *edge_args;
    uint32_t nedge_args, edge_args_capacity;
    struct ir_state *states;
    uint32_t nstates, states_capacity;
    uint32_t *order; /* block numbers, nblocks of them, in the order for allocation and emission; order[0] = 0.
                        An exit block stands right after the block that leaves through it. */
    uint32_t norder, order_capacity; /* norder: 0 until pass_order has run, then nblocks */
    uint32_t *work; /* for the pass at work (ir_work) */
    uint32_t work_capacity;
    uint64_t guest_pc;    /* region entry */
    uint32_t guest_insns; /* guest instructions translated */
};

/** Prepares an empty region. Never fails: memory exhaustion ends the process with a message. */
void ir_init(struct ir *ir);
/** Empties `ir` for the next compilation; memory is kept. */
void ir_reset(struct ir *ir);
void ir_free(struct ir *ir);
/** Deep copy, for whoever must keep a region (the interpreter backend). */
void ir_copy(struct ir *to, const struct ir *from);

/** Appends one instruction (all fields zero but op and type, args IR_NONE) to the last block and returns its
    reference. */
ir_ref ir_append(struct ir *ir, enum ir_op op, enum ir_type type);
/** Appends a block with an empty range at the end of the instructions and no edges; returns its number. */
uint32_t ir_add_block(struct ir *ir);
/** Makes edge `which` (0, 1) of `block` lead to `target` with `nargs` arguments, yet to be filled in: returns their
    place, valid until the next call. */
ir_ref *ir_set_edge(struct ir *ir, uint32_t block, unsigned which, uint32_t target, uint32_t nargs);
/** Adds a pair to the state of the block, which must be the last one that pairs were added to. */
void ir_add_state(struct ir *ir, uint32_t block, uint32_t slot, ir_ref value);
/** Room for n more instructions, so that a builder need not ask for each. */
void ir_reserve(struct ir *ir, uint32_t n);
/** Empties `order` and makes room in it for all blocks. */
void ir_reserve_order(struct ir *ir);
/** `n` words of uninitialised memory for a pass; the next call may give out the same memory. */
uint32_t *ir_work(struct ir *ir, size_t n);
/** Removes NOPs by moving instructions together: every reference changes. */
void ir_compact(struct ir *ir);

static inline const struct ir_op_info *ir_info(const struct ir_insn *insn) { return &ir_op_table[insn->op]; }
unsigned ir_call_nargs(const struct ir_insn *insn);
bool ir_removable_by_op(const struct ir_insn *insn);
/** True for operations on the address base + (index << IR_MEM_SCALE(mode)) + imm, where the index may be missing. */
static inline bool ir_has_index(const struct ir_insn *insn)
{
    return insn->op == IR_LOAD || insn->op == IR_STORE || insn->op == IR_PREFETCH;
}
/** Number of arg[] in use for this instruction (CALL: by its helper; LOAD/STORE: index may be IR_NONE). */
static inline unsigned ir_nargs(const struct ir_insn *insn)
{
    return __builtin_expect(insn->op == IR_CALL, 0) ? ir_call_nargs(insn) : ir_op_table[insn->op].nargs;
}
/** True when removing the unused instruction changes nothing. */
static inline bool ir_removable(const struct ir_insn *insn)
{
    return ir_op_table[insn->op].attrs & IR_ATTR_PURE || ir_removable_by_op(insn);
}
/** True for EXIT and its kin: the terminators that leave the region. */
static inline bool ir_leaves(const struct ir_insn *insn) { return insn->op >= IR_EXIT && insn->op <= IR_EXIT_TRAP; }
/** True for a block that only leaves: nothing but pure operations (on flags) and SETs before an EXIT. */
bool ir_is_exit_block(const struct ir *ir, uint32_t block);
/** Bytes of a value of the type: 0, 4, 8, 4, 8, 16. */
unsigned ir_type_size(enum ir_type type);

/* ---- text form (ir_print.c, ir_parse.c) -------------------------------------------------------------------------- */

/** How slots and helpers are called in the text. Both may be NULL: then `slot12`, and helpers cannot be parsed. */
struct ir_names {
    const struct state_slot *slots; /* isa.h */
    unsigned nslots;
    const struct ir_helper *const *helpers; /* NULL-terminated */
};
void ir_print(FILE *out, const struct ir *ir, const struct ir_names *names);
/** Parses one region. Returns NULL, or a message in `error` ("line 3: …"). */
const char *ir_parse(struct ir *ir, const char *text, const struct ir_names *names, char error[256]);

/* ---- verifier (ir_verify.c) -------------------------------------------------------------------------------------- */

/** NULL when `ir` is well formed: types, dominance, block shape, SETs only before exits, edge arguments. Else a message
    written to `error`. */
const char *ir_verify(const struct ir *ir, const struct ir_names *names, char error[256]);

/* ---- passes (pass_*.c) ------------------------------------------------------------------------------------------- */

/** Removes instructions whose results nobody uses (a BIND is a use only while a faulting instruction stands between it
    and the next BIND of the slot; a BIND that no fault point can see is removed, and so is an INSN or a pair of a
    block's entry state), unused parameters with their edge arguments, and blocks that are not reachable. References may
    change, and the order has to be computed anew. */
void pass_dead_code(struct ir *ir);
/** Loop depths and the allocation order (see ir.order): reverse postorder with loops contiguous, exit blocks placed. */
void pass_order(struct ir *ir);
/* The following are for regions of several blocks, after pass_order(), and want it again, if they return true: they have changed
   something. They leave what has become superfluous to pass_dead_code(). */
/** Flags that come to a block over several edges are said of their operands, or computed on the edges (pass_flags.c). */
bool pass_flags(struct ir *ir);

#endif
