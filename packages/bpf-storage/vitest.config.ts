import { testsOf } from '../../tools/vitest-project.mjs';

export default testsOf('bpf-storage');
