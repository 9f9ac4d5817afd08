<?php
/**
 * The basket as it stands, told when a page has changed it.
 *
 * @package Reprise
 */

namespace Reprise;

defined( 'ABSPATH' ) || exit;

/**
 * A basket is named by a random id in the shopper's WooCommerce session; no cookie is set for it. What is told is always
 * the whole basket and never a difference, so that it does not matter what arrives first.
 */
final class Basket {
	const ID    = 'reprise_cart';
	const TOLD  = 'reprise_told';
	const ORDER = 'reprise_order';
	const LAST  = 'reprise_last';
	const META  = '_reprise_cart';

	/** What may change a basket. The page that ran one of these looks, when it is finished, whether it did. */
	const CHANGES = array(
		'woocommerce_after_calculate_totals',
		'woocommerce_cart_item_removed',
		'woocommerce_cart_emptied',
		Consent::CHANGED,
	);

	public static function start(): void {
		// Before the page leaves for the shopper, whose next request may ask for what is kept here.
		add_action( 'shutdown', array( self::class, 'tell' ), 0 );
		add_action( 'woocommerce_checkout_create_order', array( self::class, 'name' ), 10, 1 );
		add_action( 'woocommerce_checkout_order_processed', array( self::class, 'ordered' ), 10, 1 );
		add_action( 'woocommerce_store_api_checkout_update_order_meta', array( self::class, 'name_draft' ), 10, 1 );
	}

	/** Tell Reprise, where the basket is another than the one it was told of last. */
	public static function tell(): void {
		if ( ! array_filter( self::CHANGES, 'did_action' ) || ! self::has_shopper() ) {
			return;
		}
		if ( self::is_sold() ) {
			self::begin_anew();
			return;
		}
		$data = self::described();
		$hash = md5( (string) wp_json_encode( $data ) );
		$told = (string) WC()->session->get( self::TOLD );
		if ( $hash === $told || ( '' === $told && ! $data['lines'] && ! did_action( Consent::CHANGED ) ) ) {
			return;
		}
		WC()->session->set( self::TOLD, $hash );
		$data['aliases'] = self::other_names();
		Outbox::put( 'cart:' . $data['id'], 'cart.updated', self::dated( $data ) );
	}

	/** A message of the basket as it stands, which the shopper's page may hand to Reprise. Null where there is none. */
	public static function message(): ?array {
		if ( ! self::has_shopper() || WC()->cart->is_empty() ) {
			return null;
		}
		return Outbox::message( 'cart.updated', self::dated( self::described() ) );
	}

	/** Keep with an order which basket it was, and what was said about reminders. */
	public static function name( \WC_Order $order ): void {
		if ( self::has_shopper() ) {
			$order->update_meta_data( self::META, self::id() );
			Consent::keep_with( $order );
		}
	}

	/** The block checkout saves its draft before it asks for anything to be added. */
	public static function name_draft( \WC_Order $order ): void {
		self::name( $order );
		$order->save_meta_data();
		self::ordered( $order->get_id() );
	}

	public static function ordered( $order_id ): void {
		if ( self::has_shopper() ) {
			WC()->session->set( self::ORDER, (int) $order_id );
		}
	}

	/** The order that the shopper's basket has become, paid or not; null where it has not. */
	public static function order(): ?\WC_Order {
		$id    = WC()->session ? (int) WC()->session->get( self::ORDER ) : 0;
		$order = $id ? wc_get_order( $id ) : null;
		return $order instanceof \WC_Order ? $order : null;
	}

	/** An order as a basket, for a payment that was declined: whoever tells of it may have no session. */
	public static function of_order( \WC_Order $order ): array {
		$lines = array();
		foreach ( $order->get_items() as $item ) {
			if ( $item instanceof \WC_Order_Item_Product ) {
				$product = $item->get_product();
				$total   = (float) $item->get_total() + (float) $item->get_total_tax();
				$lines[] = self::line( $item->get_name(), $product ? $product->get_sku() : '', $item->get_quantity(), $total );
			}
		}
		$name = (string) $order->get_meta( self::META );
		return array(
			'id'           => $name ? $name : 'order:' . $order->get_id(),
			'order_id'     => (string) $order->get_id(),
			'currency'     => $order->get_currency(),
			'amount'       => self::decimal( (float) $order->get_total() ),
			'lines'        => $lines,
			'customer'     => array(
				'id'      => (string) ( $order->get_customer_id() ? $order->get_customer_id() : '' ),
				'email'   => $order->get_billing_email(),
				'name'    => $order->get_formatted_billing_full_name(),
				'country' => $order->get_billing_country(),
			),
			'consent'      => Consent::kept_with( $order ),
			'checkout_url' => $order->get_checkout_payment_url(),
		);
	}

	/**
	 * A state needs the time of its last change, to the millionth, and each one a later time than the one before: the clocks
	 * of some machines stand still for a millisecond or more.
	 */
	private static function dated( array $data ): array {
		$at = max( (int) ( microtime( true ) * 1000000 ), 1 + (int) WC()->session->get( self::LAST ) );
		WC()->session->set( self::LAST, $at );
		$data['updated_at'] = self::written( $at );
		$data['version']    = $at;
		return $data;
	}

	/** Now, as `2026-03-02T10:29:00.123456Z`. */
	public static function moment(): string {
		return self::written( (int) ( microtime( true ) * 1000000 ) );
	}

	private static function written( int $microseconds ): string {
		$seconds = intdiv( $microseconds, 1000000 );
		return gmdate( 'Y-m-d\TH:i:s', $seconds ) . sprintf( '.%06dZ', $microseconds % 1000000 );
	}

	private static function has_shopper(): bool {
		return WC()->cart instanceof \WC_Cart && WC()->session instanceof \WC_Session;
	}

	private static function id(): string {
		$id = (string) WC()->session->get( self::ID );
		if ( '' === $id ) {
			$id = bin2hex( random_bytes( 16 ) );
			WC()->session->set( self::ID, $id );
		}
		return $id;
	}

	/**
	 * The basket emptied itself because it was bought. One that was emptied after a declined payment was emptied by hand:
	 * that is told, and nobody is asked about it again.
	 */
	private static function is_sold(): bool {
		$order = self::order();
		return WC()->cart->is_empty() && null !== $order && ! $order->has_status( array( 'failed', 'checkout-draft' ) );
	}

	private static function begin_anew(): void {
		foreach ( array( self::ID, self::TOLD, self::ORDER, Decline::TOLD ) as $name ) {
			WC()->session->set( $name, null );
		}
	}

	/**
	 * The ids that this basket had before its shopper signed in: the two baskets have become one.
	 *
	 * @return string[]
	 */
	private static function other_names(): array {
		$user = get_current_user_id();
		if ( ! $user ) {
			return array();
		}
		$before = (string) get_user_meta( $user, self::META, true );
		if ( self::id() === $before ) {
			return array();
		}
		update_user_meta( $user, self::META, self::id() );
		return '' === $before ? array() : array( $before );
	}

	private static function described(): array {
		$cart  = WC()->cart;
		$lines = array();
		foreach ( $cart->get_cart() as $item ) {
			$total   = (float) ( $item['line_total'] ?? 0 ) + (float) ( $item['line_tax'] ?? 0 );
			$lines[] = self::line( $item['data']->get_name(), $item['data']->get_sku(), $item['quantity'], $total );
		}
		$order    = self::order();
		$customer = self::customer();
		return array(
			'id'           => self::id(),
			'order_id'     => $order && $order->needs_payment() ? (string) $order->get_id() : '',
			'currency'     => get_woocommerce_currency(),
			'amount'       => self::decimal( (float) $cart->get_total( 'edit' ) ),
			'lines'        => $lines,
			'customer'     => $customer,
			'consent'      => Consent::given( $customer['email'] ),
			'checkout_url' => wc_get_checkout_url(),
		);
	}

	/** Whose basket it is. A guest's address is told from when he allowed reminders to it, and not before. */
	private static function customer(): array {
		$customer = WC()->customer;
		$signed   = is_user_logged_in();
		$own      = $customer->get_billing_email() ? $customer->get_billing_email() : $customer->get_email();
		$email    = Consent::address();
		$email    = '' === $email && $signed ? strtolower( (string) $own ) : $email;
		return array(
			'id'      => $signed ? (string) $customer->get_id() : '',
			'email'   => $email,
			'name'    => '' === $email ? '' : trim( $customer->get_billing_first_name() . ' ' . $customer->get_billing_last_name() ),
			'locale'  => str_replace( '_', '-', determine_locale() ),
			'country' => (string) $customer->get_billing_country(),
		);
	}

	/**
	 * @param int|float $quantity Shops sell 1.5 m of cloth.
	 */
	private static function line( string $title, string $sku, $quantity, float $total ): array {
		return array(
			'title'        => wp_strip_all_tags( $title ),
			'sku'          => $sku,
			'quantity'     => (string) $quantity,
			'total_amount' => self::decimal( $total ),
		);
	}

	/** An amount as a decimal in a text, rounded as the shop rounds. */
	private static function decimal( float $amount ): string {
		return number_format( $amount, wc_get_price_decimals(), '.', '' );
	}
}
