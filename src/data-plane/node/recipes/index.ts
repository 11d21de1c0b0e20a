/**
 * Image recipes: how unmodified manifests run without a container engine. All pure.
 *
 *   image ── matchRecipe ──> ImageRecipe ── planContainer ──> argv, env, workingDir, files   (or why not)
 *
 * `recipesOf` puts the cluster's ImageRecipes before the built-in ones (builtin.ts). `planContainer` replaces the image's ENTRYPOINT and CMD
 * by the recipe's, exactly as a container's `command` and `args` replace them upstream; nothing is expanded yet. The caller then merges
 * the variables (recipe, then `recipeVariables`, then services, then the container's own), expands `$(VAR)` with `expand`, also in the
 * contents of `files`, and writes those into the directory that `$(BIPLANE_FILES)` names.
 *
 * An image without a recipe does not run: nobody is helped by a pod that looks alive but runs something else. The plan then is an
 * error `ImageNotRunnableAsProcess` whose message names the fix.
 */
export { builtinRecipes } from './builtin.ts'
export { expand, expandAll } from './expand.ts'
export { matchRecipe, recipesOf } from './match-recipe.ts'
export { planContainer, type ContainerPlan, type RecipeFile } from './plan-container.ts'
export { filesDirOf, recipeVariables } from './recipe-variables.ts'
