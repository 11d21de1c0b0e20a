// Writes examples/*/recipes.yaml: each program of programs/recipes.json, with all that it imports, inline in an ImageRecipe, so that
// `kubectl apply -f examples/<name>` runs on every node of a cluster, wherever these sources are not. With --check: exits 1 when one is stale.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const RELATIVE_IMPORT = /(?<=^import [^'\n]*')\.[^']*(?=')/gm

/** Names of the folders below examples/ that have recipes. */
export function exampleNames() {
  return readdirSync(join(root, 'examples')).filter((name) => existsSync(join(root, 'examples', name, 'programs/recipes.json')))
}

/** The text of examples/<name>/recipes.yaml. */
export function generateRecipes(name) {
  const programs = join(root, 'examples', name, 'programs')
  const recipes = JSON.parse(readFileSync(join(programs, 'recipes.json'), 'utf8'))
  const head = `# Generated from programs/ by scripts/generate-example-recipes.mjs: change it there. "$$" stands for one "$" where "$(" would be expanded.\n`
  return head + recipes.map((recipe) => renderRecipe(recipe, programs)).join('---\n')
}

function renderRecipe({ name, images, program, env = {} }, programs) {
  const variables = { HOST: '$(BIPLANE_POD_IP)', ...env }
  const files = [...collectFiles(join(programs, program))].map(
    ([path, text]) => `    - path: ${path}\n      content: |\n${indent(escapeDollars(text))}`,
  )
  return `apiVersion: biplane.dev/v1alpha1
kind: ImageRecipe
metadata:
  name: ${name}
spec:
  images: [${images.map(quote).join(', ')}]
  command: [node, ${quote(`$(BIPLANE_FILES)/${program}`)}]
  env:
${Object.entries(variables)
  .map(([key, value]) => `    ${key}: ${quote(value)}\n`)
  .join('')}  files:
${files.join('')}`
}

/** The program and what it imports, file name to text; all in one folder, so imports of other folders are rewritten. */
function collectFiles(entry) {
  const found = new Map()
  const origin = new Map()
  const visit = (path) => {
    const name = basename(path)
    if (origin.has(name)) {
      if (origin.get(name) !== path) throw new Error(`${relative(root, path)} and ${relative(root, origin.get(name))} have the same name`)
      return
    }
    origin.set(name, path)
    const text = readFileSync(path, 'utf8')
    if (/^[ ]|[^\n -~\u00a0-\ud7ff]/.test(text) || !text.endsWith('\n')) {
      throw new Error(`${relative(root, path)} cannot be a block of YAML: no tabs, carriage returns or first line that is indented`)
    }
    found.set(
      name,
      text.replace(RELATIVE_IMPORT, (specifier) => `./${basename(specifier)}`),
    )
    for (const [specifier] of text.matchAll(RELATIVE_IMPORT)) visit(resolve(dirname(path), specifier))
  }
  visit(entry)
  return found
}

/** Contents of recipe files are expanded: doubled where `$$` or `$(` would be taken for something. */
export function escapeDollars(text) {
  return text.replace(/\$+(?=\()|\${2,}/g, (dollars) => dollars + dollars)
}

function quote(text) {
  return `'${text.replaceAll("'", "''")}'`
}

function indent(text) {
  return text.replace(/^(?=.)/gm, '        ')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const stale = []
  for (const name of exampleNames()) {
    const path = join(root, 'examples', name, 'recipes.yaml')
    const text = generateRecipes(name)
    if (existsSync(path) && readFileSync(path, 'utf8') === text) continue
    if (process.argv.includes('--check')) stale.push(relative(root, path))
    else writeFileSync(path, text)
  }
  if (stale.length > 0) {
    console.error(`stale: ${stale.join(', ')}: run node scripts/generate-example-recipes.mjs`)
    process.exitCode = 1
  }
}
