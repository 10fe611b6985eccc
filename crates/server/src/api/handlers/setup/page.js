"use strict";
// The code is behind the #: no log knows it, and only this server is told it.
const form = document.getElementById("setup");
const said = document.getElementById("said");
function send(path, body) {
  const headers = { "content-type": "application/json" };
  return fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
}
// A link that does not work any more says so before anybody fills in the form.
async function check() {
  try {
    const answer = await send("/api/v1/setup/check", { code: location.hash.slice(1) });
    if (answer.ok) {
      form.hidden = false;
      form.user.focus();
      return;
    }
    const { detail } = await answer.json();
    said.textContent = answer.status === 403 ? `This link does not work any more: ${detail}` : detail;
  } catch {
    said.textContent = "The server does not answer.";
  }
}
check();
addEventListener("hashchange", check);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (form.password.value !== form.again.value) {
    said.textContent = "The two passwords differ.";
    return;
  }
  const body = { code: location.hash.slice(1), user: form.user.value, password: form.password.value };
  try {
    const answer = await send("/api/v1/setup", body);
    const told = await answer.json();
    if (answer.ok) {
      history.replaceState(null, "", "/setup");
      form.remove();
      said.textContent = `Administrator ${told.name} created.`;
      document.getElementById("address").textContent = location.origin;
      document.getElementById("next").hidden = false;
    } else {
      said.textContent = told.field ? `${told.field}: ${told.detail}` : told.detail;
    }
  } catch {
    said.textContent = "The server does not answer.";
  }
});
