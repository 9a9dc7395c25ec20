import { testsOf } from '../vitest-project.mjs';

export default testsOf('house');
