<?php
/**
 * As much of WooCommerce as the plugin touches, after its own classes: a session, a basket, a customer, orders.
 */

class WooCommerce {
	public WC_Session $session;
	public WC_Cart $cart;
	public WC_Customer $customer;
	public function api_request_url( $name ) {
		return "https://shop.example/wc-api/$name/";
	}
}
class WC_Session {
	public array $data = array();
	public function get( $name, $default = null ) {
		return $this->data[ $name ] ?? $default;
	}
	public function set( $name, $value ) {
		$this->data[ $name ] = $value;
	}
}
class WC_Customer {
	public string $billing_email = '';
	public function get_id() {
		return Stage::$user;
	}
	public function get_email() {
		return Stage::$email;
	}
	public function get_billing_email() {
		return $this->billing_email;
	}
	public function get_billing_first_name() {
		return 'Zoé';
	}
	public function get_billing_last_name() {
		return "O'Neil <b>";
	}
	public function get_billing_country() {
		return 'FR';
	}
}
class WC_Product {
	private array $of;
	public function __construct( array $of ) {
		$this->of = $of;
	}
	public function get_name() {
		return $this->of['title'];
	}
	public function get_sku() {
		return $this->of['sku'];
	}
	public function get_price() {
		return $this->of['price'];
	}
	public function is_purchasable() {
		return true;
	}
}
class WC_Cart {
	public array $items = array();
	public function is_empty() {
		return array() === $this->items;
	}
	public function get_cart() {
		return $this->items;
	}
	public function get_total( $context ) {
		return array_sum( array_map( static fn( $item ) => $item['line_total'] + $item['line_tax'], $this->items ) );
	}
	public function hold( array $lines ) {
		$this->items = array();
		foreach ( $lines as $line ) {
			$this->items[] = array(
				'data'       => new WC_Product( $line ),
				'quantity'   => $line['quantity'],
				'line_total' => $line['price'] * $line['quantity'],
				'line_tax'   => 0.2,
			);
		}
		// The totals of an empty basket are not calculated.
		do_action( $lines ? 'woocommerce_after_calculate_totals' : 'woocommerce_cart_emptied', $this );
	}
}
class WC_Order_Item_Product {
	private array $item;
	public function __construct( array $item ) {
		$this->item = $item;
	}
	public function get_name() {
		return $this->item['data']->get_name();
	}
	public function get_product() {
		return $this->item['data'];
	}
	public function get_quantity() {
		return $this->item['quantity'];
	}
	public function get_total() {
		return $this->item['line_total'];
	}
	public function get_total_tax() {
		return $this->item['line_tax'];
	}
}
class WC_Order {
	public static array $all = array();
	public int $id;
	public string $status = 'pending';
	public string $email  = 'zoe@example.test';
	public array $items   = array();
	public array $meta    = array();
	public array $notes   = array();
	public float $total   = 0;
	public function __construct( int $id ) {
		$this->id         = $id;
		self::$all[ $id ] = $this;
	}
	public function get_id() {
		return $this->id;
	}
	public function get_items() {
		return $this->items;
	}
	public function get_meta( $key ) {
		return $this->meta[ $key ] ?? '';
	}
	public function update_meta_data( $key, $value ) {
		$this->meta[ $key ] = $value;
	}
	public function delete_meta_data( $key ) {
		unset( $this->meta[ $key ] );
	}
	public function save_meta_data() {}
	public function get_currency() {
		return get_woocommerce_currency();
	}
	public function get_total() {
		return (string) $this->total;
	}
	public function get_customer_id() {
		return Stage::$user;
	}
	public function get_billing_email() {
		return $this->email;
	}
	public function get_formatted_billing_full_name() {
		return 'Zoé Noir';
	}
	public function get_billing_country() {
		return 'FR';
	}
	public function get_checkout_payment_url() {
		return "https://shop.example/checkout/order-pay/$this->id/?pay_for_order=true&key=wc_order_key";
	}
	public function get_payment_method() {
		return 'stripe';
	}
	public function get_order_key() {
		return 'wc_order_key';
	}
	public function get_date_modified() {
		return new DateTime();
	}
	public function has_status( $status ) {
		return in_array( $this->status, (array) $status, true );
	}
	public function needs_payment() {
		return $this->has_status( array( 'pending', 'failed' ) ) && $this->total > 0;
	}
	public function become( string $status ) {
		$this->status = $status;
		do_action( "woocommerce_order_status_$status", $this->id, $this );
	}
}
class WC_Integration {
	public $id, $method_title, $method_description, $form_fields;
	public function init_settings() {}
	public function process_admin_options() {}
}
class WC_AJAX {
	public static function get_endpoint( $name ) {
		return "/?wc-ajax=$name";
	}
}
function WC() {
	static $shop = null;
	if ( null === $shop ) {
		$shop           = new WooCommerce();
		$shop->session  = new WC_Session();
		$shop->cart     = new WC_Cart();
		$shop->customer = new WC_Customer();
	}
	return $shop;
}
function wc_get_order( $id ) {
	return WC_Order::$all[ $id ] ?? false;
}
function wc_get_orders( $query ) {
	$his = array_filter( WC_Order::$all, static fn( $order ) => $order->email === $query['billing_email'] );
	return array_slice( array_values( $his ), ( $query['page'] - 1 ) * $query['limit'], $query['limit'] );
}
function wc_get_order_notes( $query ) {
	$notes = array_reverse( wc_get_order( $query['order_id'] )->notes );
	return array_map( static fn( $text ) => (object) array( 'content' => $text ), array_slice( $notes, 0, $query['limit'] ) );
}
function wc_get_price_decimals() {
	return (int) ( Stage::$options['decimals'] ?? 2 );
}
function wc_get_price_to_display( $product ) {
	return $product->get_price();
}
function get_woocommerce_currency() {
	return Stage::$options['currency'] ?? 'EUR';
}
function wc_get_checkout_url() {
	return 'https://shop.example/checkout/';
}
function wc_get_logger() {
	return new class() {
		public function error( $words, $context ) {
			Stage::$log[] = $words;
		}
	};
}
function is_product() {
	return ! empty( Stage::$options['is_product'] );
}
function as_enqueue_async_action( $hook, $arguments, $group, $unique ) {
	Stage::$scheduled = array( 'at_once' );
}
function as_schedule_single_action( $at, $hook, $arguments, $group ) {
	Stage::$scheduled = array( $at - time() );
}
function as_unschedule_all_actions( $hook, $arguments, $group ) {
	Stage::$scheduled = array();
}
function woocommerce_register_additional_checkout_field( $field ) {
	Stage::$options['block_field'] = $field;
}
