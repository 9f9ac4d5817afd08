// Reprise, a custom pixel: Settings > Customer events > Add custom pixel. Under Permission choose Required, Marketing, so
// that Shopify runs it only for shoppers who agreed. It tells of a declined payment and of nothing else: which checkout, and
// that it was declined. What the alert said is not told, nor anything that was typed.
const inquiries = "@@HOUSE@@/storefront/@@SHOP@@/inquiries";
const note = "reprise-declined";
let token = null;

analytics.subscribe("payment_info_submitted", (event) => {
  token = event.data.checkout.token;
});

analytics.subscribe("alert_displayed", (event) => {
  if (event.data.alert.type !== "PAYMENT_ERROR" || !token) return;
  // For the shop's own pages, where the plan is shown: nothing can be shown in Shopify's checkout.
  browser.sessionStorage.setItem(note, "yes");
  fetch(inquiries, {
    method: "POST",
    body: JSON.stringify({ token, declined: true }),
    credentials: "omit",
    keepalive: true,
  }).catch(() => {});
});

analytics.subscribe("checkout_completed", () => {
  browser.sessionStorage.removeItem(note);
});
