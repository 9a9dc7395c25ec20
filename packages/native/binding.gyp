{
  # One addon, `exopool.node`, from every addon/*.cc. What the machine lacks is left out: see scripts/toolchain.mjs.
  'targets': [
    {
      'target_name': 'exopool',
      'sources': ['<!@(node scripts/gyp.mjs sources)'],
      # A worker thread may be terminated while one of our callbacks runs in it: what cannot be thrown is dropped.
      # All exceptions, such as of a thread that cannot be started, become JavaScript's: Node is built without them.
      'defines': [
        'NAPI_VERSION=9', 'NODE_ADDON_API_CPP_EXCEPTIONS', 'NODE_ADDON_API_CPP_EXCEPTIONS_ALL',
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
        '<!@(node scripts/gyp.mjs defines)',
      ],
      'include_dirs': ['include', 'addon'],
      'cflags!': ['-fno-exceptions', '-Wno-unused-parameter'],
      'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-Wno-unused-parameter'],
      'cflags': [
        '-Wall', '-Wextra', '-Werror', '-fvisibility=hidden',
        '-isystem', '<!(node scripts/gyp.mjs node-addon-api)',
      ],
      'cflags_cc': ['-std=c++17', '-fexceptions'],
      # Worker threads load and unload an addon; ours has threads of its own that must not lose their code.
      'ldflags': ['-Wl,-z,nodelete', '<!@(node scripts/gyp.mjs ldflags)'],
      'configurations': {
        'Release': {'cflags!': ['-O3'], 'cflags': ['-O2', '-g1']},
        'Debug': {'cflags': ['-O0', '-g']},
      },
    },
  ],
}
