"""The part of the Admin GraphQL schema that a connector of ours may ask, under the platform's own names."""

SDL = """
directive @idempotent(key: String!) on FIELD

scalar DateTime
scalar Decimal
scalar Money
scalar URL
scalar UnsignedInt64
scalar JSON
scalar CurrencyCode
scalar CountryCode

enum OrderDisplayFinancialStatus { AUTHORIZED EXPIRED PAID PARTIALLY_PAID PARTIALLY_REFUNDED PENDING REFUNDED VOIDED }
enum OrderCreateFinancialStatus { AUTHORIZED EXPIRED PAID PARTIALLY_PAID PARTIALLY_REFUNDED PENDING REFUNDED VOIDED }
enum OrderTransactionKind { AUTHORIZATION CAPTURE CHANGE EMV_AUTHORIZATION REFUND SALE SUGGESTED_REFUND VOID }
enum OrderTransactionStatus { AWAITING_RESPONSE ERROR FAILURE PENDING SUCCESS UNKNOWN }
enum OrderCreateInputsInventoryBehavior { BYPASS DECREMENT_IGNORING_POLICY DECREMENT_OBEYING_POLICY }
enum OrderCreateUserErrorCode {
  FULFILLMENT_SERVICE_INVALID INVALID INVENTORY_CLAIM_FAILED PROCESSED_AT_INVALID REDUNDANT_CUSTOMER_FIELDS
  SHOP_DORMANT TAX_LINE_RATE_MISSING
}
enum OrderCreateManualPaymentOrderCreateManualPaymentErrorCode { ORDER_NOT_FOUND GATEWAY_NOT_FOUND AMOUNT_EXCEEDS_BALANCE AMOUNT_NOT_POSITIVE ORDER_IS_TEMPORARILY_UNAVAILABLE }
enum MetafieldsSetUserErrorCode { APP_NOT_AUTHORIZED BLANK INVALID INVALID_TYPE INVALID_VALUE STALE_OBJECT TOO_LONG TAKEN }
enum OrderCancelReason { CUSTOMER DECLINED FRAUD INVENTORY OTHER STAFF }
enum OrderCancelUserErrorCode { INVALID NOT_FOUND }
enum DraftOrderStatus { COMPLETED INVOICE_SENT OPEN }
enum CustomerEmailAddressMarketingState { INVALID NOT_SUBSCRIBED PENDING SUBSCRIBED UNSUBSCRIBED }
enum ProductVariantInventoryPolicy { CONTINUE DENY }
enum WebhookSubscriptionFormat { JSON XML }
enum AbandonedCheckoutSortKeys { CHECKOUT_ID CREATED_AT CUSTOMER_NAME ID RELEVANCE TOTAL_PRICE }
enum OrderSortKeys { CREATED_AT CUSTOMER_NAME ID ORDER_NUMBER PROCESSED_AT RELEVANCE TOTAL_PRICE UPDATED_AT }
enum WebhookSubscriptionSortKeys { CREATED_AT ID RELEVANCE }
enum WebhookSubscriptionTopic {
  APP_UNINSTALLED CARTS_CREATE CARTS_UPDATE CHECKOUTS_CREATE CHECKOUTS_UPDATE CHECKOUTS_DELETE
  CUSTOMERS_CREATE CUSTOMERS_UPDATE CUSTOMERS_DELETE DRAFT_ORDERS_CREATE DRAFT_ORDERS_UPDATE DRAFT_ORDERS_DELETE
  ORDERS_CREATE ORDERS_PAID ORDERS_UPDATED ORDERS_CANCELLED ORDERS_EDITED ORDERS_DELETE ORDERS_FULFILLED
  ORDER_TRANSACTIONS_CREATE PAYMENT_SCHEDULES_DUE PAYMENT_TERMS_CREATE PAYMENT_TERMS_UPDATE REFUNDS_CREATE SHOP_UPDATE
}

interface Node { id: ID! }
interface DisplayableError { field: [String!] message: String! }

type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
type MoneyV2 { amount: Decimal! currencyCode: CurrencyCode! }
type MoneyBag { shopMoney: MoneyV2! presentmentMoney: MoneyV2! }
type Attribute { key: String! value: String }
type Domain { url: URL! host: String! }
type ShopPlan { displayName: String! partnerDevelopment: Boolean! }
type ShopAddress { countryCodeV2: CountryCode }
type Shop implements Node {
  id: ID! name: String! email: String! contactEmail: String! myshopifyDomain: String! currencyCode: CurrencyCode!
  ianaTimezone: String! taxesIncluded: Boolean! primaryDomain: Domain! url: URL! enabledPresentmentCurrencies: [CurrencyCode!]!
  billingAddress: ShopAddress! shopAddress: ShopAddress! plan: ShopPlan! timezoneAbbreviation: String!
}
type AccessScope { handle: String! description: String! }
type AppInstallation implements Node { id: ID! accessScopes: [AccessScope!]! }
type ApiVersion { handle: String! displayName: String! supported: Boolean! }

type MailingAddress {
  firstName: String lastName: String name: String address1: String address2: String city: String zip: String province: String
  provinceCode: String country: String countryCodeV2: CountryCode phone: String company: String
}
type CustomerEmailAddress { emailAddress: String! marketingState: CustomerEmailAddressMarketingState! marketingUpdatedAt: DateTime }
type CustomerPhoneNumber { phoneNumber: String! }
type Customer implements Node {
  id: ID! legacyResourceId: UnsignedInt64! firstName: String lastName: String displayName: String! locale: String! email: String
  defaultEmailAddress: CustomerEmailAddress defaultPhoneNumber: CustomerPhoneNumber numberOfOrders: UnsignedInt64!
}
type Product implements Node { id: ID! title: String! }
type InventoryItem implements Node { id: ID! tracked: Boolean! }
type ProductVariant implements Node {
  id: ID! title: String! sku: String availableForSale: Boolean! inventoryPolicy: ProductVariantInventoryPolicy!
  sellableOnlineQuantity: Int! inventoryItem: InventoryItem!
}

type LineItem implements Node {
  id: ID! title: String! name: String! sku: String quantity: Int! currentQuantity: Int! refundableQuantity: Int! variantTitle: String
  variant: ProductVariant product: Product originalUnitPriceSet: MoneyBag! originalTotalSet: MoneyBag! discountedTotalSet: MoneyBag!
  customAttributes: [Attribute!]!
}
type LineItemConnection { nodes: [LineItem!]! pageInfo: PageInfo! }
type OrderTransaction implements Node {
  id: ID! kind: OrderTransactionKind! status: OrderTransactionStatus! gateway: String amountSet: MoneyBag!
  parentTransaction: OrderTransaction processedAt: DateTime createdAt: DateTime errorCode: String
}
type Metafield implements Node { id: ID! namespace: String! key: String! value: String! type: String! }
type MetafieldConnection { nodes: [Metafield!]! pageInfo: PageInfo! }
type Order implements Node {
  id: ID! legacyResourceId: UnsignedInt64! name: String! number: Int! createdAt: DateTime! updatedAt: DateTime! processedAt: DateTime!
  cancelledAt: DateTime closedAt: DateTime cancelReason: OrderCancelReason displayFinancialStatus: OrderDisplayFinancialStatus
  sourceIdentifier: String sourceName: String tags: [String!]! note: String email: String phone: String customerLocale: String
  fullyPaid: Boolean! unpaid: Boolean! test: Boolean! confirmed: Boolean! customerAcceptsMarketing: Boolean!
  currencyCode: CurrencyCode! presentmentCurrencyCode: CurrencyCode! customAttributes: [Attribute!]! customer: Customer
  billingAddress: MailingAddress shippingAddress: MailingAddress
  totalPriceSet: MoneyBag! currentTotalPriceSet: MoneyBag! subtotalPriceSet: MoneyBag totalOutstandingSet: MoneyBag!
  totalReceivedSet: MoneyBag! totalRefundedSet: MoneyBag! totalTaxSet: MoneyBag totalShippingPriceSet: MoneyBag!
  transactions(first: Int): [OrderTransaction!]!
  lineItems(first: Int, after: String): LineItemConnection!
  metafield(namespace: String, key: String!): Metafield
  metafields(first: Int, namespace: String): MetafieldConnection!
}
type OrderEdge { cursor: String! node: Order! }
type OrderConnection { nodes: [Order!]! edges: [OrderEdge!]! pageInfo: PageInfo! }

type AbandonedCheckoutLineItem implements Node {
  id: ID! title: String variantTitle: String sku: String quantity: Int! variant: ProductVariant product: Product
  discountedTotalPriceSet: MoneyBag! originalUnitPriceSet: MoneyBag! originalTotalPriceSet: MoneyBag!
}
type AbandonedCheckoutLineItemConnection { nodes: [AbandonedCheckoutLineItem!]! pageInfo: PageInfo! }
type AbandonedCheckout implements Node {
  id: ID! name: String! createdAt: DateTime! updatedAt: DateTime! completedAt: DateTime abandonedCheckoutUrl: URL! note: String!
  taxesIncluded: Boolean! discountCodes: [String!]! customer: Customer billingAddress: MailingAddress shippingAddress: MailingAddress
  customAttributes: [Attribute!]! totalPriceSet: MoneyBag! subtotalPriceSet: MoneyBag! totalTaxSet: MoneyBag totalDiscountSet: MoneyBag!
  lineItems(first: Int, after: String): AbandonedCheckoutLineItemConnection!
}
type AbandonedCheckoutEdge { cursor: String! node: AbandonedCheckout! }
type AbandonedCheckoutConnection { nodes: [AbandonedCheckout!]! edges: [AbandonedCheckoutEdge!]! pageInfo: PageInfo! }

type DraftOrder implements Node {
  id: ID! name: String! status: DraftOrderStatus! ready: Boolean! invoiceUrl: URL email: String note2: String tags: [String!]!
  currencyCode: CurrencyCode! totalPriceSet: MoneyBag! order: Order createdAt: DateTime!
}
type DraftOrderConnection { nodes: [DraftOrder!]! pageInfo: PageInfo! }
type Refund implements Node { id: ID! createdAt: DateTime totalRefundedSet: MoneyBag! }
type Job { id: ID! done: Boolean! }
type WebhookSubscription implements Node {
  id: ID! topic: WebhookSubscriptionTopic! uri: String! name: String apiVersion: ApiVersion! format: WebhookSubscriptionFormat!
  createdAt: DateTime! updatedAt: DateTime!
}
type WebhookSubscriptionEdge { cursor: String! node: WebhookSubscription! }
type WebhookSubscriptionConnection { nodes: [WebhookSubscription!]! edges: [WebhookSubscriptionEdge!]! pageInfo: PageInfo! }

type UserError implements DisplayableError { field: [String!] message: String! }
type OrderCreateUserError implements DisplayableError { code: OrderCreateUserErrorCode field: [String!] message: String! }
type OrderCreateManualPaymentOrderCreateManualPaymentError implements DisplayableError {
  code: OrderCreateManualPaymentOrderCreateManualPaymentErrorCode field: [String!] message: String!
}
type MetafieldsSetUserError implements DisplayableError { code: MetafieldsSetUserErrorCode field: [String!] message: String! elementIndex: Int }
type OrderCancelUserError implements DisplayableError { code: OrderCancelUserErrorCode field: [String!] message: String! }

input MoneyInput { amount: Decimal! currencyCode: CurrencyCode! }
input MoneyBagInput { presentmentMoney: MoneyInput shopMoney: MoneyInput! }
input AttributeInput { key: String! value: String! }
input MailingAddressInput {
  firstName: String lastName: String company: String address1: String address2: String city: String zip: String province: String
  provinceCode: String country: String countryCode: CountryCode phone: String
}
input MetafieldInput { id: ID namespace: String key: String type: String value: String }
input OrderCreateCustomAttributeInput { key: String! value: String! }
input OrderCreateAssociateCustomerAttributesInput { id: ID email: String }
input OrderCreateCustomerAddressInput {
  firstName: String lastName: String company: String address1: String address2: String city: String zip: String province: String
  country: String phone: String
}
input OrderCreateUpsertCustomerAttributesInput {
  id: ID email: String firstName: String lastName: String phone: String note: String tags: [String!] taxExempt: Boolean
  addresses: [OrderCreateCustomerAddressInput!] multipassIdentifier: String
}
input OrderCreateCustomerInput @oneOf {
  toAssociate: OrderCreateAssociateCustomerAttributesInput toUpsert: OrderCreateUpsertCustomerAttributesInput
}
input OrderCreateLineItemPropertyInput { name: String! value: String! }
input OrderCreateTaxLineInput { title: String! rate: Decimal! priceSet: MoneyBagInput channelLiable: Boolean }
input OrderCreateLineItemInput {
  fulfillmentService: String giftCard: Boolean = false priceSet: MoneyBagInput productId: ID properties: [OrderCreateLineItemPropertyInput!]
  quantity: Int! requiresShipping: Boolean = false sku: String taxLines: [OrderCreateTaxLineInput!] taxable: Boolean = true title: String
  variantId: ID variantTitle: String vendor: String
}
input OrderCreateShippingLineInput { code: String priceSet: MoneyBagInput! source: String taxLines: [OrderCreateTaxLineInput!] title: String! }
input OrderCreateOrderTransactionInput {
  amountSet: MoneyBagInput! authorizationCode: String deviceId: ID gateway: String giftCardId: ID kind: OrderTransactionKind = SALE
  locationId: ID processedAt: DateTime receiptJson: JSON status: OrderTransactionStatus = SUCCESS test: Boolean = false userId: ID
}
input OrderCreateOrderInput {
  billingAddress: MailingAddressInput buyerAcceptsMarketing: Boolean = null closedAt: DateTime currency: CurrencyCode
  customAttributes: [OrderCreateCustomAttributeInput!] customer: OrderCreateCustomerInput customerId: ID email: String
  financialStatus: OrderCreateFinancialStatus lineItems: [OrderCreateLineItemInput!] metafields: [MetafieldInput!] name: String
  note: String phone: String poNumber: String presentmentCurrency: CurrencyCode processedAt: DateTime referringSite: URL
  shippingAddress: MailingAddressInput shippingLines: [OrderCreateShippingLineInput!] sourceIdentifier: String sourceName: String
  sourceUrl: URL tags: [String!] taxLines: [OrderCreateTaxLineInput!] taxesIncluded: Boolean = false test: Boolean = false
  transactions: [OrderCreateOrderTransactionInput!] userId: ID
}
input OrderCreateOptionsInput {
  inventoryBehaviour: OrderCreateInputsInventoryBehavior = BYPASS sendFulfillmentReceipt: Boolean = false sendReceipt: Boolean = false
}
input OrderMarkAsPaidInput { id: ID! }
input OrderInput {
  id: ID! customAttributes: [AttributeInput!] email: String metafields: [MetafieldInput!] note: String phone: String poNumber: String
  shippingAddress: MailingAddressInput tags: [String!]
}
input MetafieldsSetInput { compareDigest: String key: String! namespace: String ownerId: ID! type: String value: String! }
input DraftOrderLineItemInput {
  customAttributes: [AttributeInput!] originalUnitPrice: Money originalUnitPriceWithCurrency: MoneyInput priceOverride: MoneyInput
  quantity: Int! requiresShipping: Boolean sku: String taxable: Boolean title: String uuid: String variantId: ID
}
input DraftOrderInput {
  billingAddress: MailingAddressInput customAttributes: [AttributeInput!] email: String lineItems: [DraftOrderLineItemInput!]
  metafields: [MetafieldInput!] note: String phone: String poNumber: String presentmentCurrencyCode: CurrencyCode
  shippingAddress: MailingAddressInput sourceName: String tags: [String!] taxExempt: Boolean useCustomerDefaultAddress: Boolean
  visibleToCustomer: Boolean allowDiscountCodesInCheckout: Boolean reserveInventoryUntil: DateTime
}
input OrderTransactionInput { amount: Money! gateway: String! kind: OrderTransactionKind! orderId: ID! parentId: ID }
input RefundLineItemInput { lineItemId: ID! quantity: Int! }
input RefundInput {
  orderId: ID! currency: CurrencyCode note: String notify: Boolean transactions: [OrderTransactionInput!] refundLineItems: [RefundLineItemInput!]
  allowOverRefunding: Boolean = false
}
input OrderCancelRefundMethodInput { originalPaymentMethodsRefund: Boolean }
input WebhookSubscriptionInput {
  callbackUrl: URL filter: String format: WebhookSubscriptionFormat includeFields: [String!] metafieldNamespaces: [String!] name: String uri: String
}

type OrderCreatePayload { order: Order userErrors: [OrderCreateUserError!]! }
type OrderMarkAsPaidPayload { order: Order userErrors: [UserError!]! }
type OrderCreateManualPaymentPayload { order: Order userErrors: [OrderCreateManualPaymentOrderCreateManualPaymentError!]! }
type OrderUpdatePayload { order: Order userErrors: [UserError!]! }
type OrderCancelPayload { job: Job orderCancelUserErrors: [OrderCancelUserError!]! userErrors: [UserError!]! }
type RefundCreatePayload { order: Order refund: Refund userErrors: [UserError!]! }
type TagsAddPayload { node: Node userErrors: [UserError!]! }
type MetafieldsSetPayload { metafields: [Metafield!] userErrors: [MetafieldsSetUserError!]! }
type DraftOrderCreatePayload { draftOrder: DraftOrder userErrors: [UserError!]! }
type DraftOrderCompletePayload { draftOrder: DraftOrder userErrors: [UserError!]! }
type WebhookSubscriptionCreatePayload { webhookSubscription: WebhookSubscription userErrors: [UserError!]! }
type WebhookSubscriptionDeletePayload { deletedWebhookSubscriptionId: ID userErrors: [UserError!]! }

type QueryRoot {
  shop: Shop!
  currentAppInstallation: AppInstallation!
  order(id: ID!): Order
  orders(first: Int, after: String, query: String, reverse: Boolean = false, sortKey: OrderSortKeys = PROCESSED_AT): OrderConnection!
  draftOrders(first: Int, after: String, query: String, reverse: Boolean = false): DraftOrderConnection!
  abandonedCheckouts(first: Int, after: String, query: String, reverse: Boolean = false, sortKey: AbandonedCheckoutSortKeys = ID): AbandonedCheckoutConnection!
  webhookSubscriptions(first: Int, after: String, query: String, topics: [WebhookSubscriptionTopic!], uri: String, reverse: Boolean = false, sortKey: WebhookSubscriptionSortKeys = CREATED_AT): WebhookSubscriptionConnection!
}

type Mutation {
  orderCreate(order: OrderCreateOrderInput!, options: OrderCreateOptionsInput): OrderCreatePayload
  orderMarkAsPaid(input: OrderMarkAsPaidInput!): OrderMarkAsPaidPayload
  orderCreateManualPayment(id: ID!, amount: MoneyInput, paymentMethodName: String, processedAt: DateTime): OrderCreateManualPaymentPayload
  orderUpdate(input: OrderInput!): OrderUpdatePayload
  orderCancel(orderId: ID!, reason: OrderCancelReason!, refundMethod: OrderCancelRefundMethodInput, restock: Boolean!, staffNote: String, notifyCustomer: Boolean = false): OrderCancelPayload
  refundCreate(input: RefundInput!): RefundCreatePayload
  tagsAdd(id: ID!, tags: [String!]!): TagsAddPayload
  metafieldsSet(metafields: [MetafieldsSetInput!]!): MetafieldsSetPayload
  draftOrderCreate(input: DraftOrderInput!): DraftOrderCreatePayload
  draftOrderComplete(id: ID!, sourceName: String): DraftOrderCompletePayload
  webhookSubscriptionCreate(topic: WebhookSubscriptionTopic!, webhookSubscription: WebhookSubscriptionInput!): WebhookSubscriptionCreatePayload
  webhookSubscriptionDelete(id: ID!): WebhookSubscriptionDeletePayload
}

schema { query: QueryRoot mutation: Mutation }
"""
