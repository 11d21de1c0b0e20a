// Prints what the suite's images stand for, as a List in JSON: node test/gateway-conformance/recipes.mjs | kubectl apply -f -
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { escapeDollars } from '../../scripts/generate-example-recipes.mjs'

const PROGRAMS = new URL('programs/', import.meta.url)

const files = readdirSync(PROGRAMS)
  .toSorted()
  .map((path) => ({
    path,
    content: escapeDollars(readFileSync(new URL(path, PROGRAMS), 'utf8')),
    ...(path.includes('.') ? {} : { mode: 0o755 }),
  }))

/** ImageRecipes for the images of the suite. */
export function gatewayConformanceRecipes() {
  const env = { HOST: '$(BIPLANE_POD_IP)' }
  // `kubectl exec ... -- client` finds the program by the path
  const path = `$(BIPLANE_FILES):${process.env.PATH}`
  return [recipe('echo-basic', env), recipe('echo-advanced', { ...env, PATH: path })]
}

function recipe(name, env) {
  const program = `${name.replace('echo-', '')}.mjs`
  return {
    apiVersion: 'biplane.dev/v1alpha1',
    kind: 'ImageRecipe',
    metadata: { name: `gateway-conformance-${name}` },
    spec: { images: [`*/${name}:*`], command: ['node', `$(BIPLANE_FILES)/${program}`], env, files },
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: gatewayConformanceRecipes() }, null, 2))
}
