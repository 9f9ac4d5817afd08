/* Reprise in a shop's page. It keeps nothing, sets no cookie, and asks nobody anything before the shopper has done something
   and, where that is required, has agreed. Of the page's fields it reads one: an e-mail address, once the box beside it is
   ticked or its own form is sent. How a page uses it is in docs/shop-side.md. */
(() => {
  const own = document.querySelector("[data-reprise-house]");
  if (!own) return;
  const { repriseHouse: house, basket, refusals, declined } = own.dataset;
  const lang = document.documentElement.lang || undefined;
  let agreed = own.dataset.consent === "given";
  let awake = false;
  let asking = false;
  let refusal;

  const every = (selector) => [...document.querySelectorAll(selector)];
  const later = (ms) => new Promise((done) => setTimeout(done, ms));
  // What does not answer, or says no, is nothing: a shop's page never shows an error of ours.
  const ask = (url, options) =>
    fetch(url, options).then((answer) => (answer.ok && answer.status !== 204 ? answer.json() : null)).catch(() => null);
  const askHouse = (url, content) => ask(url, { credentials: "omit", ...(content && { method: "POST", body: JSON.stringify(content) }) });
  const askShop = async (declined) => {
    const url = new URL(basket, location.href);
    if (declined) url.searchParams.set("declined", 1);
    const said = await ask(url, { cache: "no-store" });
    return said && { message: said.message, token: said.token, lang };
  };

  const mayAsk = () =>
    agreed ||
    !!(window.wp_has_consent
      ? window.wp_has_consent("preferences")
      : window.Shopify?.customerPrivacy?.preferencesProcessingAllowed());

  /* Which plans there are for the amount of a place. */
  const draw = async (place) => {
    const { amount, currency, drawn } = place.dataset;
    if (!amount || drawn) return;
    place.dataset.drawn = "yes";
    const query = new URLSearchParams({ amount, currency, ...(lang && { lang }) });
    const plan = (await askHouse(`${house}/plans?${query}`))?.plans[0];
    if (plan) place.querySelector("p").textContent = plan.words;
    place.querySelector("button").hidden = !basket;
    place.hidden = !plan;
  };

  /* The plan for the basket at hand, unless there is none within five seconds. */
  const offerFor = async (declined) => {
    let said = await askShop(declined);
    if (declined && !said) said = await later(700).then(() => askShop(declined));
    said = said && (await askHouse(`${house}/inquiries`, { ...said, declined }));
    for (const end = Date.now() + 5000; said?.state === "asked" && said.poll && Date.now() < end; ) {
      await later(said.wait_ms);
      said = await askHouse(said.poll);
    }
    return said?.offer;
  };

  const show = (place, offer) => {
    const add = (name, text) => Object.assign(place.appendChild(document.createElement(name)), { textContent: text });
    place.replaceChildren();
    add("strong", offer.title);
    add("p", offer.words);
    const link = Object.assign(add("a", offer.button), { href: offer.url, target: "_top", className: "button" });
    link.style.cssText = "display: inline-block; padding: .6em";
  };

  /* A payment was declined: the plan for the same basket in the same page, without a word about the refusal. */
  const rescue = async () => {
    const [place] = every("[data-reprise-offer]");
    if (asking || !place || place.firstChild || !mayAsk()) return;
    asking = true;
    const offer = await offerFor(true);
    if (offer) show(place, offer);
    asking = false;
  };

  const chosen = async (button, place) => {
    if (!basket) return draw(place);
    button.disabled = true;
    const offer = await offerFor(false);
    if (offer) location.assign(offer.url);
    else place.remove();
  };

  /* The answer to the shop's own box goes to the shop, with the address in the same form. */
  const answer = (field) => {
    const box = field.closest("form")?.querySelector("[id$=reprise-reminders]");
    const email = box?.form.querySelector("input[type=email]");
    if (email?.value && (field === box || (field === email && box.checked)))
      ask(basket, { method: "POST", body: JSON.stringify({ email: email.value, granted: box.checked }) });
  };

  const remind = async (form) => {
    const said = await askShop();
    if (said) await askHouse(`${house}/reminders`, { ...said, email: form.querySelector("input[type=email]").value });
    form.replaceChildren(form.dataset.thanks);
  };

  const look = () => {
    const places = every("[data-reprise]");
    // Until the shopper agreed, and where no amount is known, there is a button and nothing else: pressing it is asking.
    for (const place of places) if (!mayAsk() || !place.dataset.amount) place.hidden = false;
    if (!awake || !mayAsk()) return;
    places.forEach(draw);
    const said = refusals && document.querySelector(refusals)?.textContent;
    if (said && said !== refusal) rescue();
    refusal = said;
  };
  const acted = () => {
    awake = true;
    look();
    if (declined === "remembered" && mayAsk() && sessionStorage.getItem("reprise-declined")) rescue();
  };

  for (const what of ["pointerdown", "keydown", "scroll"]) addEventListener(what, acted, { once: true, passive: true });
  document.addEventListener("reprise:consent", (event) => {
    agreed = event.detail !== false;
    look();
  });
  for (const what of ["wp_listen_for_consent_change", "visitorConsentCollected"]) document.addEventListener(what, look);
  document.addEventListener("reprise:declined", rescue);
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-reprise] button");
    if (button) chosen(button, button.closest("[data-reprise]"));
  });
  document.addEventListener("change", ({ target }) => basket && answer(target));
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-reprise-reminder]")) return;
    event.preventDefault();
    remind(event.target);
  });
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  look();
  // The page before this one was a payment that the shopper began.
  if (declined === "yes") rescue();
})();
