// Writes docs/reference/cli.md from the commands and flags of the program. With --check: fails when the file is not up to date.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const output = join(root, 'docs/reference/cli.md')

const HEAD = `# Commands and flags

Generated from the program by \`node scripts/generate-cli-reference.mjs\`; do not edit.

Exit codes: 0 done, 1 failed, 2 the command line means nothing. \`--debug\`, with any command, prints stack traces with errors.`

/** The program, bundled below the project so that it finds its dependencies. */
async function loadProgram() {
  mkdirSync(join(root, 'node_modules/.cache'), { recursive: true })
  const dir = mkdtempSync(join(root, 'node_modules/.cache/reference-'))
  try {
    await build({
      absWorkingDir: root,
      entryPoints: { program: 'src/cli/program/program.ts' },
      outdir: dir,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      packages: 'external',
      logLevel: 'warning',
    })
    const { createProgram } = await import(pathToFileURL(join(dir, 'program.mjs')).href)
    const nowhere = { write: () => {}, isTerminal: false, columns: 80 }
    return createProgram({ out: nowhere, err: nowhere }, () => {})
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Paragraphs about a command and those below it. */
function describe(command, path) {
  const help = command.createHelp()
  const children = help.visibleCommands(command).filter((child) => child.name() !== 'help')
  const names = [...path, command.name()]
  if (children.length > 0) {
    const own = path.length > 0 ? [`## ${names.join(' ')}`, sentence(command.description())] : []
    return [...own, ...children.flatMap((child) => describe(child, names))]
  }
  const usage = [...names, ...command.registeredArguments.map(argumentTerm), '[options]'].join(' ')
  const rows = [
    ...command.registeredArguments.map((argument) => [argument.name(), help.argumentDescription(argument)]),
    ...help
      .visibleOptions(command)
      .filter((option) => !['--help', '--debug'].includes(option.long))
      .map((option) => [option.flags, optionDescription(option)]),
  ].map(([flag, text]) => `| \`${flag}\` | ${cell(text)} |`)
  const table = rows.length > 0 ? [['| argument or flag | meaning |', '|---|---|', ...rows].join('\n')] : []
  return [`## ${names.join(' ')}`, sentence(command.description()), `\`\`\`\n${usage}\n\`\`\``, ...table]
}

function argumentTerm(argument) {
  const term = `${argument.name().toUpperCase()}${argument.variadic ? '...' : ''}`
  return argument.required ? term : `[${term}]`
}

function optionDescription(option) {
  const notes = [
    ...(option.argChoices ? [`one of ${option.argChoices.join(', ')}`] : []),
    ...(saysSomething(option.defaultValue) ? [`default ${defaultText(option)}`] : []),
  ]
  return notes.length > 0 ? `${option.description} (${notes.join('; ')})` : option.description
}

/** Lists and maps that start empty, and what `--no-` turns off, say nothing. */
function saysSomething(value) {
  return value !== undefined && typeof value !== 'boolean' && (typeof value !== 'object' || Object.keys(value).length > 0)
}

function defaultText({ defaultValue, flags }) {
  if (typeof defaultValue === 'object') return `${defaultValue.host}:${defaultValue.port}`
  return flags.includes('<duration>') ? `${defaultValue / 1000}s` : String(defaultValue)
}

function cell(text) {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

function presentText() {
  try {
    return readFileSync(output, 'utf8')
  } catch {
    return undefined
  }
}

const text = `${[HEAD, ...describe(await loadProgram(), [])].join('\n\n')}\n`
if (!process.argv.includes('--check')) {
  mkdirSync(join(root, 'docs/reference'), { recursive: true })
  writeFileSync(output, text)
} else if (presentText() !== text) {
  console.error('docs/reference/cli.md is not up to date: run node scripts/generate-cli-reference.mjs')
  process.exitCode = 1
}
