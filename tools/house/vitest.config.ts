import { testsOf } from '../../tools/vitest-project.mjs';

export default testsOf('house');
