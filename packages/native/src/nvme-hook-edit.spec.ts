import { describe, expect, it } from 'vitest';
import { addNvmeHook } from '../scripts/nvme-hook-edit.mjs';

/** The shapes that the edit looks for, and nothing else of a driver. */
const driver = `#include "nvme.h"

struct nvme_iod {
	unsigned int dma_len;
	dma_addr_t first_dma;
};

static inline void nvme_write_sq_db(struct nvme_queue *nvmeq, bool write_sq)
{
	test_bit(NVMEQ_ENABLED, &nvmeq->flags);
}

static inline void nvme_sq_copy_cmd(struct nvme_queue *nvmeq)
{
}

static void takes_the_lock(struct nvme_queue *nvmeq)
{
	spin_lock(&nvmeq->sq_lock);
	spin_unlock(&nvmeq->sq_lock);
}

static inline void nvme_handle_cqe(struct nvme_queue *nvmeq)
{
	if (!nvme_try_complete_req(req, cqe->status, cqe->result))
		complete();
}
`;

describe('addNvmeHook', () => {
  it('takes the queue lock with interrupts off, and offers completions to the hook first', () => {
    const edited = addNvmeHook(driver);
    expect(edited).not.toContain('spin_lock(&nvmeq->sq_lock)');
    expect(edited).not.toContain('spin_unlock(&nvmeq->sq_lock)');
    expect(edited).toContain(
      '{\n\tunsigned long exo_flags;\n\n\tspin_lock_irqsave(&nvmeq->sq_lock, exo_flags);',
    );
    expect(edited.match(/unsigned long exo_flags/g)).toHaveLength(1);
    expect(edited).toMatch(
      /exo_resubmit\(nvmeq, req, le16_to_cpu.*\n\t\treturn;\n\tif \(!nvme_try_complete_req/,
    );
    expect(edited.indexOf('static bool exo_resubmit(')).toBeLessThan(edited.indexOf('nvme_handle_cqe('));
    expect(edited).toContain('#include "nvme.h"\n#include "nvme_hook.h"\n');
  });

  it('knows drivers that keep the address in the command', () => {
    const later = driver.replace(
      /struct nvme_iod \{[^}]*\}/,
      'enum { IOD_SINGLE_SEGMENT }; { size_t total_len; }',
    );
    expect(addNvmeHook(later)).toContain(
      'le64_to_cpu(iod->cmd.common.dptr.prp1), iod->total_len, DMA_FROM_DEVICE',
    );
  });

  it.each([
    'unsigned int dma_len;',
    'NVMEQ_ENABLED',
    '\tif (!nvme_try_complete_req(req, cqe->status, cqe->result)',
  ])('refuses a driver without %j, and names it', (part) => {
    expect(() => addNvmeHook(driver.replace(part, ''))).toThrow(part);
  });

  it('refuses to edit a driver twice', () => {
    expect(() => addNvmeHook(addNvmeHook(driver.concat('static inline void nvme_handle_cqe(')))).toThrow(
      /exactly once/,
    );
  });
});
