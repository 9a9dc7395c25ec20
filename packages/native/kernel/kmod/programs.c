// SPDX-License-Identifier: GPL-2.0
/*
 * The BPF side: a struct_ops type `exo_ops` with one function, `next(hop)`, and two kfuncs by which it sees the
 * block that was read.
 *
 *   exo_block(hop, size)                  the block itself, read-only, of a size known to the verifier
 *   exo_block_read(block, offset, to, to__sz)
 *                                         copies a part of it whose place is only known at run time; `block` is
 *                                         hop->offset, so that no program gets another block by mistake
 *
 * A program may change the fields of its hop from `next` on, and no other memory of the module. chains.c limits the
 * length of a chain, out of the program's reach. Unloading a program waits for the batches that run it.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "exopool.h"
#include "stepping.h"

struct exo_program {
  struct kref ref;
  struct list_head entry;
  u64 id;
  const struct exo_ops *ops; /* NULL once the program is being unloaded */
  atomic_t users;
  wait_queue_head_t idle;
};

static DEFINE_MUTEX(programs_lock);
static LIST_HEAD(programs);
static struct kmem_cache *cache;

DEFINE_PER_CPU(struct exo_flight *, exo_stepping);

__bpf_kfunc_start_defs();

__bpf_kfunc u8 *exo_block(struct exo_hop *hop, const u32 rdonly_buf_size) {
  return rdonly_buf_size <= hop->block_bytes ? container_of(hop, struct exo_flight, hop)->block : NULL;
}

__bpf_kfunc int exo_block_read(u64 block, u32 offset, void *to, u64 to__sz) {
  const struct exo_flight *flight = this_cpu_read(exo_stepping);

  if (!flight || flight->hop.offset != block) return -ENOENT;
  if (offset > flight->hop.block_bytes || to__sz > flight->hop.block_bytes - offset) return -EINVAL;
  memcpy(to, flight->block + offset, to__sz);
  return 0;
}

__bpf_kfunc_end_defs();

/* In kernels without the flag, arguments are trusted unless marked otherwise. */
#ifndef KF_TRUSTED_ARGS
#define KF_TRUSTED_ARGS 0
#endif

BTF_KFUNCS_START(exo_kfunc_ids)
BTF_ID_FLAGS(func, exo_block, KF_RET_NULL | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, exo_block_read)
BTF_KFUNCS_END(exo_kfunc_ids)

static const struct btf_kfunc_id_set exo_kfuncs = {.owner = THIS_MODULE, .set = &exo_kfunc_ids};

static const struct bpf_func_proto *get_func_proto(enum bpf_func_id id, const struct bpf_prog *prog) {
  return bpf_base_func_proto(id, prog);
}

/* The type of the only argument. The kernel has no other way to tell a module its name. */
static const struct btf_type *hop_type;

static bool is_valid_access(int off, int size, enum bpf_access_type type, const struct bpf_prog *prog,
                            struct bpf_insn_access_aux *info) {
  if (!bpf_tracing_btf_ctx_access(off, size, type, prog, info)) return false;
  WRITE_ONCE(hop_type, btf_type_by_id(info->btf, info->btf_id));
  return true;
}

/* Called for each write of a program to a structure of the kernel. */
static int check_write(struct bpf_verifier_log *log, const struct bpf_reg_state *reg, int off, int size) {
  if (btf_type_by_id(reg->btf, reg->btf_id) != READ_ONCE(hop_type)) return -EACCES;
  return off >= (int)offsetof(struct exo_hop, next) && off + size <= (int)sizeof(struct exo_hop) ? 0 : -EACCES;
}

static const struct bpf_verifier_ops verifier_ops = {
    .get_func_proto = get_func_proto,
    .is_valid_access = is_valid_access,
    .btf_struct_access = check_write,
};

static int init(struct btf *btf) { return 0; }

static int check_member(const struct btf_type *type, const struct btf_member *member, const struct bpf_prog *prog) {
  return prog->sleepable ? -EINVAL : 0; /* `next` runs in interrupt handlers */
}

static int init_member(const struct btf_type *type, const struct btf_member *member, void *kdata, const void *udata) {
  const struct exo_ops *from = udata;
  struct exo_ops *to = kdata;

  if (__btf_member_bit_offset(type, member) / 8 != offsetof(struct exo_ops, id)) return 0;
  to->id = from->id;
  return 1;
}

static struct exo_program *find_program(u64 id) {
  struct exo_program *program;

  list_for_each_entry(program, &programs, entry)
    if (program->id == id) return program;
  return NULL;
}

static int add_program(const struct exo_ops *ops) {
  struct exo_program *program;
  int error = 0;

  if (!ops->next || !ops->id) return -EINVAL;
  program = kmem_cache_zalloc(cache, GFP_KERNEL);
  if (!program) return -ENOMEM;
  kref_init(&program->ref);
  init_waitqueue_head(&program->idle);
  program->id = ops->id;
  program->ops = ops;
  mutex_lock(&programs_lock);
  if (find_program(ops->id))
    error = -EEXIST;
  else
    list_add(&program->entry, &programs);
  mutex_unlock(&programs_lock);
  if (error) kmem_cache_free(cache, program);
  return error;
}

static void remove_program(const struct exo_ops *ops) {
  struct exo_program *program;

  mutex_lock(&programs_lock);
  program = find_program(ops->id);
  if (program) list_del(&program->entry);
  mutex_unlock(&programs_lock);
  if (WARN_ON(!program)) return;
  WRITE_ONCE(program->ops, NULL);
  smp_mb(); /* with the one in exo_program_enter */
  wait_event(program->idle, atomic_read(&program->users) == 0);
  exo_program_put(program);
}

#ifdef EXO_REG_TAKES_LINK
static int reg(void *kdata, struct bpf_link *link) { return add_program(kdata); }
static void unreg(void *kdata, struct bpf_link *link) { remove_program(kdata); }
#else
static int reg(void *kdata) { return add_program(kdata); }
static void unreg(void *kdata) { remove_program(kdata); }
#endif

static int next_stub(struct exo_hop *hop) { return 0; }

static struct exo_ops cfi_stubs = {.next = next_stub};

static struct bpf_struct_ops struct_ops = {
    .verifier_ops = &verifier_ops,
    .init = init,
    .check_member = check_member,
    .init_member = init_member,
    .reg = reg,
    .unreg = unreg,
    .cfi_stubs = &cfi_stubs,
    .name = "exo_ops",
    .owner = THIS_MODULE,
};

int exo_programs_start(void) {
  int error;

  cache = EXO_CACHE(exo_program);
  if (!cache) return -ENOMEM;
  error = register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS, &exo_kfuncs);
  if (!error) error = register_bpf_struct_ops(&struct_ops, exo_ops);
  if (error) kmem_cache_destroy(cache);
  return error;
}

/* The kernel unregisters everything with the module. */
void exo_programs_stop(void) { kmem_cache_destroy(cache); }

struct exo_program *exo_program_get(u64 id) {
  struct exo_program *program;

  mutex_lock(&programs_lock);
  program = find_program(id);
  if (program) kref_get(&program->ref);
  mutex_unlock(&programs_lock);
  return program;
}

static void free_program(struct kref *ref) { kmem_cache_free(cache, container_of(ref, struct exo_program, ref)); }

void exo_program_put(struct exo_program *program) { kref_put(&program->ref, free_program); }

const struct exo_ops *exo_program_enter(struct exo_program *program) {
  const struct exo_ops *ops;

  atomic_inc(&program->users);
  smp_mb__after_atomic(); /* either unloading sees the user, or we see that it is being unloaded */
  ops = READ_ONCE(program->ops);
  if (!ops) exo_program_leave(program);
  return ops;
}

void exo_program_leave(struct exo_program *program) {
  if (atomic_dec_and_test(&program->users)) wake_up(&program->idle);
}
