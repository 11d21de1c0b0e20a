import { expect, test } from 'vitest'
import type { ImageRecipe } from '../../../api/biplane.dev/v1alpha1/image-recipe.ts'
import { matchRecipe, recipesOf } from './match-recipe.ts'

function recipe(name: string, images: string[], priority?: number): ImageRecipe {
  return { metadata: { name }, spec: { images, priority } }
}

test.each([
  ['redis', 'redis', true],
  ['redis', 'redis:7', false],
  ['redis*', 'redis:7', true],
  ['*redis:*', 'docker.io/library/redis:7', true],
  ['*redis:*', 'redis:7', true],
  ['*redis:*', 'redis', false],
  ['*/team-*/app:v1.*', 'reg.example/team-a/app:v1.20', true],
  ['*/team-*/app:v1.*', 'reg.example/team-a/app:v2', false],
  ['*', 'anything/at:all', true],
  ['**', '', true],
  ['a*a', 'a', false],
  ['a*b*c', 'axbxc', true],
  ['a*bc*c', 'abc', false],
  ['app.v1', 'appxv1', false],
])('pattern %j on image %j: %j', (pattern, image, matches) => {
  expect(matchRecipe(image, [recipe('r', [pattern])]) !== undefined).toBe(matches)
})

test('the larger priority wins, then the longer matching pattern, then the name', () => {
  const general = recipe('general', ['*'])
  const exact = recipe('exact', ['app:1', '*'])
  const loud = recipe('loud', ['*'], 5)
  expect(matchRecipe('app:1', [general, exact])).toBe(exact)
  expect(matchRecipe('app:1', [general, exact, loud])).toBe(loud)
  expect(matchRecipe('other', [general, exact])).toBe(exact)
  expect(matchRecipe('app:1', [recipe('b', ['app*']), recipe('a', ['app*'])])?.metadata.name).toBe('a')
  expect(matchRecipe('app:1', recipesOf([recipe('own', ['*'])], [recipe('builtin', ['app:1'], -1000)]))?.metadata.name).toBe('own')
})

test('a pattern full of stars takes no time on a long image', () => {
  expect(matchRecipe(`${'a'.repeat(5000)}b`, [recipe('r', [`${'*a'.repeat(200)}*c`])])).toBeUndefined()
})
