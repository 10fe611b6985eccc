"use strict";
// The code is behind the #: no server is told it until the form is sent.
const form = document.getElementById("setup");
const said = document.getElementById("said");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (form.password.value !== form.again.value) {
    said.textContent = "The two passwords differ.";
    return;
  }
  const body = { code: location.hash.slice(1), user: form.user.value, password: form.password.value };
  try {
    const answer = await fetch("/api/v1/setup", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
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
