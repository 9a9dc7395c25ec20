/**
 * The edit that gives an NVMe driver the hook of `kernel/kmod/nvme_hook.h`, as a function from the distribution's
 * `drivers/nvme/host/pci.c` to the edited text.
 *
 * - The submission queues' lock is taken with interrupts off wherever it is taken, since the completion handler now
 *   takes it as well.
 * - A successful read into one piece of memory is offered to the hook before its request completes. If the hook names a
 *   block, the same command is submitted for it. The request records the block, so that a retry reads it too.
 *
 * Places are found by shape, not by line. If one is missing, the error names it, and nothing is edited.
 */

const declareAfter = '#include "nvme.h"\n';
const handler = 'static inline void nvme_handle_cqe(';
const completion = '\tif (!nvme_try_complete_req(req, cqe->status, cqe->result)';

/** Where drivers keep the one piece of memory of a request: earlier ones in fields, later ones in the command. */
const mappings = [
  {
    needed: ['unsigned int dma_len;', 'dma_addr_t first_dma;'],
    isOnePiece: 'iod->dma_len',
    address: 'iod->first_dma',
    bytes: 'iod->dma_len',
  },
  {
    needed: ['IOD_SINGLE_SEGMENT', 'size_t total_len;'],
    isOnePiece: '(iod->flags & IOD_SINGLE_SEGMENT)',
    address: 'le64_to_cpu(iod->cmd.common.dptr.prp1)',
    bytes: 'iod->total_len',
  },
];

const resubmission = ({ isOnePiece, address, bytes }) => `exo_nvme_hook_fn __rcu exo_nvme_hook;
EXPORT_SYMBOL_GPL(exo_nvme_hook);

static bool exo_resubmit(struct nvme_queue *nvmeq, struct request *req, u16 status)
{
	struct nvme_iod *iod = blk_mq_rq_to_pdu(req);
	struct nvme_ns *ns = req->q->queuedata;
	exo_nvme_hook_fn hook;
	unsigned long flags;
	sector_t sector;
	bool goes_on;

	if (likely(!rcu_access_pointer(exo_nvme_hook)))
		return false;
	if (status || req_op(req) != REQ_OP_READ || !${isOnePiece} || blk_integrity_rq(req) || !ns ||
	    !test_bit(NVMEQ_ENABLED, &nvmeq->flags))
		return false;
	dma_sync_single_for_cpu(nvmeq->dev->dev, ${address}, ${bytes}, DMA_FROM_DEVICE);
	rcu_read_lock();
	hook = rcu_dereference(exo_nvme_hook);
	goes_on = hook && hook(req, &sector);
	rcu_read_unlock();
	if (!goes_on)
		return false;
	dma_sync_single_for_device(nvmeq->dev->dev, ${address}, ${bytes}, DMA_FROM_DEVICE);
	req->__sector = sector;
	iod->cmd.rw.slba = cpu_to_le64(nvme_sect_to_lba(ns->head, sector));
	spin_lock_irqsave(&nvmeq->sq_lock, flags);
	nvme_sq_copy_cmd(nvmeq, &iod->cmd);
	nvme_write_sq_db(nvmeq, true);
	spin_unlock_irqrestore(&nvmeq->sq_lock, flags);
	return true;
}

`;

const call = `	if (exo_resubmit(nvmeq, req, le16_to_cpu(cqe->status) >> 1))
		return;
`;

/** The resubmission relies on this; a driver without it keeps its commands another way. */
const needed = [
  'static inline void nvme_sq_copy_cmd(',
  'static inline void nvme_write_sq_db(struct nvme_queue *nvmeq, bool write_sq)',
  'NVMEQ_ENABLED',
];

/** Takes the lock with interrupts off in one function's body, which starts at its brace. */
function lockWithInterruptsOff(body) {
  if (!body.includes('spin_lock(&nvmeq->sq_lock);')) return body;
  return body
    .replace('{', '{\n\tunsigned long exo_flags;\n')
    .replaceAll('spin_lock(&nvmeq->sq_lock);', 'spin_lock_irqsave(&nvmeq->sq_lock, exo_flags);')
    .replaceAll('spin_unlock(&nvmeq->sq_lock);', 'spin_unlock_irqrestore(&nvmeq->sq_lock, exo_flags);');
}

/** @throws an Error that names the missing part of the text. */
export function addNvmeHook(text) {
  const mapping = mappings.find((each) => each.needed.every((part) => text.includes(part)));
  const missing = [
    ...(mapping === undefined ? [mappings.map((each) => each.needed.join(', ')).join('; or ')] : []),
    ...needed.filter((part) => !text.includes(part)),
    ...[declareAfter, handler, completion].filter((part) => text.split(part).length !== 2),
  ];
  if (missing.length > 0) throw new Error(`the driver's source has not exactly once: ${missing.join(' | ')}`);
  const functionBody = /^\{\n[\s\S]*?^\}$/gm;
  return text
    .replace(functionBody, lockWithInterruptsOff)
    .replace(declareAfter, () => `${declareAfter}#include "nvme_hook.h"\n`)
    .replace(handler, () => `${resubmission(mapping)}${handler}`)
    .replace(completion, () => `${call}${completion}`);
}
