"""What is asked of PayXpert, in its words and within its lengths. No schedule of PayXpert's is ever asked for: each payment
is ``Single``, and what comes after it is a rebill on our own day."""

from dataclasses import dataclass
from typing import Any, Literal

from plugin_backend.sdk.gateway import ChargeRequest, SetupRequest
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.payload import clean

# PayXpert's words for what is not there, in a text and in a country.
_NA, _ZZ = "NA", "ZZ"
# A page that nobody has used within it takes no card any more.
PAGE_LIFE = "PT1H"
# PayXpert's amounts have ten digits, in minor units of any currency.
MOST = 9_999_999_999
_GOODS, _OTHER_SHIPPING = "01", "07"
Json = dict[str, Any]
Series = Literal["instalment", "subscription"]


@dataclass(frozen=True, slots=True)
class Words:
    """What the account's settings say of requests. ``place`` is where ``payment.context`` goes, such as
    ``payment.context``; "" for nowhere."""

    callback_url: str
    theme: str
    place: str

    def setup(self, request: SetupRequest) -> Json:
        """The page that stores a card: it authorises the first payment, which is captured when the plan is made."""
        body = self._page("authorize", request.amount, request.reference, request.description)
        body["ctrlRedirectURL"] = request.return_url
        body["shopper"] = _shopper(request.customer, request.email)
        return self._placed(body, request.series, "Initiation")

    def payment(self, request: ChargeRequest) -> Json:
        """The page on which a customer pays one collection himself."""
        body = self._page("sale", request.amount, request.reference, request.description)
        body["ctrlRedirectURL"] = request.return_url
        body["shopper"] = _shopper("", "")
        return self._placed(body, request.series, "Initiation")

    def rebill(self, request: ChargeRequest) -> Json:
        body: Json = {"amount": request.amount.minor, "orderId": request.reference}
        return self._placed(body, request.series, "Iteration")

    def _page(self, operation: str, amount: Money, reference: str, description: str) -> Json:
        body: Json = {
            "amount": amount.minor,
            "currency": amount.currency,
            "paymentMethod": "CreditCard",
            "paymentMode": "Single",
            "operation": operation,
            "secure3d": True,
            "timeOut": PAGE_LIFE,
            "order": {
                "id": reference,
                "description": clean(description, 500) or _NA,
                "type": _GOODS,
                "shippingType": _OTHER_SHIPPING,
            },
        }
        if self.callback_url:
            body["ctrlCallbackURL"] = self.callback_url
        return body | ({"themeID": int(self.theme)} if self.theme else {})

    def _placed(self, body: Json, series: Series, step: str) -> Json:
        """With ``payment.context`` where the owner was told that it goes."""
        if not self.place:
            return body
        *way, last = self.place.split(".")
        at = body
        for name in way:
            at = at.setdefault(name, {})
        at[last] = ("installment" if series == "instalment" else "subscription") + step
        return body


def _shopper(customer: str, email: str) -> Json:
    known = customer if 0 < len(customer) <= 32 else _NA
    return {
        "id": known,
        "email": email if 0 < len(email) <= 100 else _NA,
        "firstName": _NA,
        "lastName": _NA,
        "address1": _NA,
        "zipcode": _NA,
        "city": _NA,
        "countryCode": _ZZ,
    }
