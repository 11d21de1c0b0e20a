// The HTML of productpage.
import { html } from '../../shared/serve.mjs'

export function indexPage() {
  return layout(`<h1>Bookstore</h1><p><a href="/productpage?u=normal">Look at the book</a></p>`)
}

export function productPage({ product, details, reviews, user }) {
  const login = user
    ? `${html(user)} (<a href="/logout">sign out</a>)`
    : '<form method="post" action="/login"><input name="username" aria-label="User"> <input name="passwd" type="password" aria-label="Password"> <button>Sign in</button></form>'
  return layout(`<div id="user">${login}</div>
<h1>${html(product.title)}</h1>
<p>${product.descriptionHtml}</p>
<h2>Book Details</h2>
${details.status === 200 ? detailsTable(details.body) : failure(details)}
<h2>Book Reviews</h2>
${reviews.status === 200 ? reviewList(reviews.body) : failure(reviews)}`)
}

function detailsTable(book) {
  const row = (name, value) => `<tr><th scope="row">${html(name)}</th><td>${html(value)}</td></tr>`
  const rows = [
    ['Type', book.type],
    ['Pages', book.pages],
    ['Publisher', book.publisher],
    ['Language', book.language],
    ['ISBN-10', book['ISBN-10']],
    ['ISBN-13', book['ISBN-13']],
    ['Author', book.author],
    ['Year', book.year],
  ]
  return `<table id="details">${rows.map(([name, value]) => row(name, value)).join('')}</table>`
}

function reviewList({ reviews, podname }) {
  const items = reviews.map(({ reviewer, text, rating }) => {
    return `<blockquote><p>${html(text)}</p><small>${html(reviewer)}</small>${rating ? ratingLine(rating) : ''}</blockquote>`
  })
  return `${items.join('\n')}\n<p>Reviews served by: <code id="served-by">${html(podname)}</code></p>`
}

function ratingLine({ stars, color, error }) {
  if (error !== undefined) return `<p class="error">${html(error)}</p>`
  const count = Math.max(0, Math.min(5, Math.trunc(Number(stars)) || 0))
  return `<p class="stars" data-stars="${count}" data-color="${html(color)}" style="color: ${html(color)}" title="${count} of 5">${'★'.repeat(count)}${'☆'.repeat(5 - count)}</p>`
}

function failure({ body }) {
  return `<p class="error">${html(body.error)}</p>`
}

function layout(content) {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Simple Bookstore App</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 42rem; padding: 0 1rem }
  th { text-align: left; padding-right: 1rem } .error { color: #b91c1c } #user { float: right }
</style>
<body>
${content}
</body>
</html>
`
}
