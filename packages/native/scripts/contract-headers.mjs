/**
 * The definitions that TypeScript gets from C, C++ and BPF, by header, for `generate-contracts.mjs`. The kinds:
 *
 *   defines    `#define NAME value`, all that begin with `prefix` or those `only`
 *   constants  constants of C++: `[name in TypeScript, expression in C++]`
 *   members    each number of an enum as a constant of its own
 *   numbers    an enum as an object, numbers by name
 *   names      enums as an array, names by number: without a gap, and `count` of them, as the header says
 *   struct     offsets of the fields and the size, bytes; `words`: in words of so many bytes
 *
 * Names are the header's without `prefix`: `camel` as fooBar (or foo-bar with `kebab`), but for those in `called`.
 */
export const headers = [
  {
    header: 'include/table_format.h',
    contents: [
      ['defines', { prefix: 'EXO_', not: ['EXO_ASSERT'] }],
      ['members', { enum: 'exo_page_type' }],
      ['members', { enum: 'exo_value_kind' }],
      ['struct', { struct: 'exo_table_header', as: 'tableHeader' }],
      ['struct', { struct: 'exo_page_header', as: 'pageHeader' }],
      ['struct', { struct: 'exo_slot', as: 'slot' }],
      ['struct', { struct: 'exo_leaf_cell', as: 'leafCell' }],
      ['struct', { struct: 'exo_interior_cell', as: 'interiorCell' }],
      ['struct', { struct: 'exo_value_ref', as: 'valueRef' }],
    ],
  },
  {
    header: 'include/table_filter.h',
    contents: [['defines', { only: ['EXO_FILTER_BLOCK_BYTES', 'EXO_FILTER_PAGE_BLOCKS'] }]],
  },
  {
    header: 'include/loop.h',
    contents: [['numbers', { enum: 'exo_loop_kind', as: 'loopKind', prefix: 'EXO_LOOP_' }]],
  },
  {
    header: 'include/driver_abi.h',
    contents: [
      ['names', { enums: { exo_mode: 'EXO_MODE_' }, as: 'driverModes', count: 'EXO_MODES' }],
      ['names', { enums: { exo_end: 'EXO_END_' }, as: 'driverEnds', count: 'EXO_ENDS' }],
    ],
  },
  {
    header: 'include/traversal.h',
    contents: [
      ['defines', { only: ['TRAVERSAL_ABI', 'TRAVERSAL_INPUT_MAX', 'TRAVERSAL_BLOCK_BYTES'] }],
      [
        'names',
        {
          enums: { traversal_verdict: 'TRAVERSAL_', exo_traversal_end: 'EXO_TRAVERSAL_' },
          as: 'traversalEnds',
          count: 'EXO_TRAVERSAL_ENDS',
          called: { TRAVERSAL_NEXT: 'going', TRAVERSAL_FAIL: 'failed' },
        },
      ],
    ],
  },
  {
    header: 'include/read_trace.h',
    contents: [
      ['names', { enums: { exo_read_mark: 'EXO_MARK_' }, as: 'readMarks', count: 'EXO_MARKS_OF_READ' }],
    ],
  },
  {
    header: 'include/slab_protocol.h',
    contents: [
      ['defines', { prefix: 'SLAB_', not: ['SLAB_ASSERT'] }],
      ['numbers', { enum: 'slab_kind', as: 'slabKind', prefix: 'SLAB_' }],
      ['numbers', { enum: 'slab_type', as: 'slabType', prefix: 'SLAB_' }],
      ['numbers', { enum: 'slab_status', as: 'slabStatus', prefix: 'SLAB_' }],
      ['names', { enums: { slab_refusal: 'SLAB_REFUSE_' }, as: 'slabRefusals', count: 'SLAB_REFUSALS' }],
      ['struct', { struct: 'slab_ticket', as: 'slabTicket' }],
    ],
  },
  {
    header: 'addon/table/engine.hh',
    contents: [['names', { enums: { Engine: 'k' }, as: 'tableEngines', count: 'kEngines', kebab: true }]],
  },
  {
    header: 'addon/store/entry_batch.hh',
    contents: [
      [
        'constants',
        [
          ['entryHeaderBytes', 'EntryBatch::kHeaderBytes'],
          ['entryPut', 'EntryBatch::kPut'],
          ['entryDelete', 'EntryBatch::kDelete'],
        ],
      ],
    ],
  },
  {
    header: 'addon/slab/slab_client_events.hh',
    contents: [
      ['numbers', { enum: 'SlabEventKind', as: 'slabEventKind', prefix: 'k' }],
      ['numbers', { enum: 'SlabFailure', as: 'slabFailure', prefix: 'kFail' }],
    ],
  },
  {
    header: 'addon/cache/value_seal.hh',
    contents: [
      [
        'names',
        {
          enums: { SealMode: 'k' },
          as: 'sealModes',
          count: 'kSealModes',
          called: { kGcm: 'aes-128-gcm' },
        },
      ],
    ],
  },
  {
    header: 'addon/machine/page_out.hh',
    contents: [['struct', { struct: 'PageOutRange', as: 'pageOutRange', words: 8 }]],
  },
  {
    header: 'addon/door/crossing.hh',
    contents: [
      ['numbers', { enum: 'FindCode', as: 'findCode', prefix: 'k' }],
      ['numbers', { enum: 'ValueLength', as: 'valueLength', prefix: 'kValue' }],
      ['numbers', { enum: 'StreamWord', as: 'streamWord', prefix: 'kStream' }],
      ['numbers', { enum: 'BatchCode', as: 'batchCode', prefix: 'k' }],
      ['names', { enums: { NumberType: 'k' }, as: 'numberTypes', count: 'NumberType::kNone' }],
      ['numbers', { enum: 'SlabRangeWord', as: 'slabRangeWord', prefix: 'kRange' }],
      ['numbers', { enum: 'CacheWord', as: 'cacheWord', prefix: 'kCache' }],
      ['numbers', { enum: 'CacheCode', as: 'cacheCode', prefix: 'k' }],
      ['names', { enums: { CacheStat: 'k' }, as: 'cacheStats', count: 'kCacheStats' }],
      [
        'constants',
        [
          ['noToken', 'kNoToken'],
          ['indexKeyBytes', 'kIndexKeyBytes'],
          ['packedValuesBytesMax', 'kPackedValuesBytesMax'],
          ['streamAnswersMax', 'kStreamAnswersMax'],
          ['scanHeaderBytes', 'kScanHeaderBytes'],
          ['clientSpinMicroseconds', 'kClientSpinUs'],
          ['cacheAnswersMax', 'kCacheAnswersMax'],
        ],
      ],
    ],
  },
];
