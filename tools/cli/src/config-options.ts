/**
 * Derives the options of a command from its configuration schema. The schema has each name, type, default and meaning
 * once; flags, `EXOPOOL_*` variables, the file of `--config` and the help follow from it.
 */
import { Option, type Command } from 'commander';
import { configFields, loadConfig, type ConfigField, type ConfigSchema } from '@exopool/shared';
import type { z } from 'zod';

/** @param operands the setting, if any, whose value is the words after `--` instead of a flag. */
export function addConfigOptions(
  command: Command,
  schema: ConfigSchema,
  scope: string,
  operands?: string,
): Command {
  for (const field of configFields(schema, scope)) {
    if (field.name === operands) command.argument(`[${field.name}...]`, field.description);
    else command.addOption(optionOf(field));
  }
  return command
    .option('--config <file>', 'JSON file with an object of settings, such as {"maxMib": 1024}')
    .addHelpText(
      'after',
      '\nA flag takes precedence over a variable, and a variable over the file of --config.',
    );
}

/**
 * @param values the command's options that are settings.
 * @throws ExopoolError `EXOPOOL_CONFIG` that names the flag, variable or file, and the setting.
 */
export function readConfig<S extends ConfigSchema>(
  command: Command,
  schema: S,
  scope: string,
  operands?: string,
  values: Record<string, unknown> = command.opts(),
): z.output<S> {
  const { config, ...options } = values;
  // Only options on the command line count: commander sets `--no-x` to true by default.
  const given = Object.entries(options).filter(([name]) => command.getOptionValueSource(name) === 'cli');
  if (operands !== undefined && command.args.length > 0) given.push([operands, command.args]);
  const file = typeof config === 'string' ? { file: config } : {};
  return loadConfig(schema, { flags: Object.fromEntries(given), environment: process.env, scope, ...file });
}

function optionOf(field: ConfigField): Option {
  const fallback = field.default === undefined ? '' : `, default ${JSON.stringify(field.default)}`;
  const help = `${field.description} (${field.variable}${fallback})`;
  if (field.type === 'boolean') {
    return new Option(field.default === true ? field.flag.replace(/^--/, '--no-') : field.flag, help);
  }
  if (field.type === 'array') {
    return new Option(`${field.flag} <item>`, `${help}; repeat it, or separate items by commas`).argParser(
      (text: string, before: string[] | undefined) => [...(before ?? []), ...text.split(',')],
    );
  }
  return new Option(`${field.flag} <${field.type === 'string' ? 'text' : 'number'}>`, help);
}
