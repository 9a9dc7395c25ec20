import { expect, it } from 'vitest';
import { loadOrder, parseModulesBuiltin, parseModulesDep } from './modules.js';

const index = parseModulesDep(`kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/fs/netfs/netfs.ko.xz
kernel/net/9p/9pnet.ko.xz:
kernel/fs/netfs/netfs.ko.xz:
kernel/drivers/nvme/host/nvme.ko: kernel/drivers/nvme/host/nvme-core.ko
kernel/drivers/nvme/host/nvme-core.ko: kernel/net/9p/9pnet.ko.xz
`);
const builtin = parseModulesBuiltin('kernel/drivers/virtio/virtio_pci.ko\n');

it('modules come after what they need, once, and without what is built in', () => {
  expect(loadOrder(index, builtin, ['virtio_pci', 'nvme', '9p'])).toEqual([
    'kernel/net/9p/9pnet.ko.xz',
    'kernel/drivers/nvme/host/nvme-core.ko',
    'kernel/drivers/nvme/host/nvme.ko',
    'kernel/fs/netfs/netfs.ko.xz',
    'kernel/fs/9p/9p.ko.xz',
  ]);
});

it('a module that is nowhere is named', () => {
  expect(() => loadOrder(index, builtin, ['ublk'])).toThrow(/no module "ublk"/);
});
