import { expect, test } from 'vitest'
import type { ImageRecipe, ImageRecipeSpec } from '../../../api/biplane.dev/v1alpha1/image-recipe.ts'
import { builtinRecipes } from './builtin.ts'
import { matchRecipe } from './match-recipe.ts'
import { planContainer } from './plan-container.ts'

const full: ImageRecipeSpec = {
  images: ['app*'],
  command: ['app', '--serve'],
  args: ['--port', '80'],
  env: { MODE: 'x' },
  workingDir: '/srv',
}

function recipe(spec: Partial<ImageRecipeSpec>): ImageRecipe {
  return { metadata: { name: 'app' }, spec: { images: ['app*'], ...spec } }
}

function commandOf(plan: ReturnType<typeof planContainer>): readonly string[] | string {
  return plan.error ? plan.error.code : plan.command
}

test.each([
  ['neither: the recipe as it is', {}, full, ['app', '--serve', '--port', '80']],
  ['args replace the recipe’s args', { args: ['-v'] }, full, ['app', '--serve', '-v']],
  ['command replaces command and args', { command: ['sh'] }, full, ['sh']],
  ['both', { command: ['sh'], args: ['-c', 'true'] }, full, ['sh', '-c', 'true']],
  ['empty lists count as absent', { command: [], args: [] }, full, ['app', '--serve', '--port', '80']],
  ['a recipe without command runs the given one', { command: ['run'] }, {}, ['run']],
  ['a recipe without command never runs args alone', { args: ['run'] }, {}, 'ImageNotRunnableAsProcess'],
  ['a recipe without command needs one', {}, {}, 'ImageNotRunnableAsProcess'],
])('%s', (_name, container, spec, expected) => {
  expect(commandOf(planContainer({ name: 'c', image: 'app:1', ...container }, recipe(spec)))).toEqual(expected)
})

test('the container’s workingDir wins over the recipe’s', () => {
  expect(planContainer({ name: 'c', image: 'app' }, recipe(full))).toMatchObject({ workingDir: '/srv', env: { MODE: 'x' } })
  expect(planContainer({ name: 'c', image: 'app', workingDir: '/own' }, recipe(full))).toMatchObject({ workingDir: '/own' })
})

test('an image without recipe is refused even with a command, and the message names the fix', () => {
  const { error } = planContainer({ name: 'c', image: 'reg.example:5000/team/app:1.2@sha256:ab', command: ['sh'] }, undefined)
  expect(error?.code).toBe('ImageNotRunnableAsProcess')
  expect(error?.message).toContain('create an ImageRecipe with spec.images ["reg.example:5000/team/app*"]')
  expect(error?.message).toContain('image: host')
})

test.each(['/etc/passwd', '../x', 'a/../../x', ''])('a recipe file at %j is refused', (path) => {
  expect(commandOf(planContainer({ name: 'c', image: 'app' }, recipe({ ...full, files: [{ path, content: '' }] })))).toBe(
    'ImageNotRunnableAsProcess',
  )
})

test.each([
  ['host', { command: ['my-program', '-x'] }, ['my-program', '-x']],
  ['busybox:1.36', { command: ['sh', '-c', 'true'] }, ['sh', '-c', 'true']],
  ['docker.io/library/alpine', { command: ['true'] }, ['true']],
  ['node:20-alpine', { args: ['server.js'] }, ['node', 'server.js']],
  ['registry.k8s.io/pause:3.10', {}, ['sleep', '2147483647']],
  ['redis@sha256:00', { args: ['--appendonly', 'yes'] }, 'redis-server'],
  ['example.com/not-node', { command: ['node'] }, 'ImageNotRunnableAsProcess'],
  ['busybox', {}, 'ImageNotRunnableAsProcess'],
])('built-in recipes: image %s', (image, container, expected) => {
  const found = matchRecipe(
    image,
    builtinRecipes(() => true),
  )
  const command = commandOf(planContainer({ name: 'c', image, ...container }, found))
  expect(typeof expected === 'string' && Array.isArray(command) ? command[0] : command).toEqual(expected)
})

test('a program that is not installed is named', () => {
  const found = matchRecipe(
    'nginx:1.27',
    builtinRecipes((program) => program !== 'nginx'),
  )
  expect(planContainer({ name: 'c', image: 'nginx:1.27' }, found).error?.message).toMatch(/needs the program nginx, .* install it/)
})

test('recipe files keep their mode, 0644 by default', () => {
  const files = [
    { path: 'bin/run.sh', content: '#!/bin/sh\n', mode: 0o755 },
    { path: 'a', content: 'x' },
  ]
  expect(planContainer({ name: 'c', image: 'app' }, recipe({ ...full, files }))).toMatchObject({
    files: [{ mode: 0o755 }, { mode: 0o644 }],
  })
})
