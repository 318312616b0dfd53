// The page for the key: sends it to the page's own server, from the form or from the address (#key=…), where it
// reaches no server and no log.
const form = document.querySelector("#key");
const answer = document.querySelector("#answer");

async function show(key) {
  answer.textContent = "";
  const response = await fetch("/key", { method: "POST", body: key });
  if (response.ok) window.location.replace("/");
  else answer.textContent = await response.text();
}

if (form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show(form.elements.key.value);
  });
  const given = new URLSearchParams(window.location.hash.slice(1)).get("key");
  if (given) {
    window.history.replaceState({}, "", "/");
    show(given);
  }
}
