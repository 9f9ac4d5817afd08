<?php
/**
 * The shop's pages: the storefront script, the places where it may show a plan, and what it asks of the shop.
 *
 * @package Reprise
 */

namespace Reprise;

defined( 'ABSPATH' ) || exit;

/** The script asks the shop for a signed message of the basket and hands it to Reprise; nothing else of a page counts there. */
final class Page {
	const HANDLE = 'reprise-storefront';
	const CALL   = 'reprise_basket';
	/** WooCommerce ties a nonce of this name to the guest's session. */
	const NONCE = 'woocommerce-reprise';
	/** What the classic and the block checkout show when they could not place an order. */
	const REFUSALS = '.woocommerce-error, .wc-block-components-notice-banner.is-error';

	public static function start(): void {
		add_action( 'wp_enqueue_scripts', array( self::class, 'add_script' ) );
		add_filter( 'script_loader_tag', array( self::class, 'describe_script' ), 10, 2 );
		add_action( 'woocommerce_single_product_summary', array( self::class, 'show_product_place' ), 25 );
		add_action( 'woocommerce_proceed_to_checkout', array( self::class, 'show_basket_place' ), 30 );
		add_action( 'woocommerce_review_order_after_order_total', array( self::class, 'show_row' ) );
		foreach ( array( 'woocommerce_before_cart', 'woocommerce_before_checkout_form', 'before_woocommerce_pay' ) as $top ) {
			add_action( $top, array( self::class, 'show_offer_place' ), 5 );
		}
		foreach ( array( 'cart', 'checkout' ) as $block ) {
			add_filter( "render_block_woocommerce/$block", array( self::class, 'add_places_to_block' ) );
		}
		add_shortcode( 'reprise_plans', array( self::class, 'place_for_shortcode' ) );
		add_action( 'wc_ajax_' . self::CALL, array( self::class, 'answer' ) );
	}

	public static function add_script(): void {
		if ( is_product() || is_cart() || is_checkout() ) {
			$at_the_end = array(
				'in_footer' => true,
				'strategy'  => 'defer',
			);
			wp_enqueue_script( self::HANDLE, plugins_url( 'assets/storefront.js', MAIN ), array(), VERSION, $at_the_end );
		}
	}

	/** The script is told by its own tag what it needs to know, so that no page needs a script in its text. */
	public static function describe_script( string $tag, string $handle ): string {
		$connection = Connection::current();
		if ( self::HANDLE !== $handle || null === $connection ) {
			return $tag;
		}
		$told = array( 'data-reprise-house' => "$connection->house/storefront/$connection->shop" );
		if ( ! is_product() ) {
			$told['data-basket']   = self::address();
			$told['data-refusals'] = self::REFUSALS;
		}
		// Where the shop has a consent manager, that one decides; else nothing here needs consent but the address, which has a box of its own.
		$told['data-consent'] = function_exists( 'wp_has_consent' ) ? 'required' : 'given';
		if ( null !== Decline::order() ) {
			$told['data-declined'] = 'yes';
		}
		$attributes = '';
		foreach ( $told as $name => $value ) {
			$attributes .= sprintf( ' %s="%s"', $name, esc_attr( $value ) );
		}
		return str_replace( ' src=', "$attributes src=", $tag );
	}

	public static function show_product_place(): void {
		global $product;
		if ( $product instanceof \WC_Product && '' !== $product->get_price() && $product->is_purchasable() ) {
			// phpcs:ignore WordPress.Security.EscapeOutput -- Escaped where it is made.
			echo self::place( (float) wc_get_price_to_display( $product ) );
		}
	}

	/** Below the totals of the classic basket, which are drawn anew with each change. */
	public static function show_basket_place(): void {
		// phpcs:ignore WordPress.Security.EscapeOutput -- Escaped where it is made.
		echo self::basket_place();
	}

	/** The same in the totals of the classic checkout, which are a table. */
	public static function show_row(): void {
		// phpcs:ignore WordPress.Security.EscapeOutput -- Escaped where it is made.
		echo '<tr class="reprise-row"><td colspan="2">' . self::basket_place() . '</td></tr>';
	}

	/** Where a plan is shown after a declined payment. It is there from the start, so that it is read aloud when it is filled. */
	public static function show_offer_place(): void {
		echo '<div class="reprise-offer" data-reprise-offer role="status"></div>';
	}

	/**
	 * Before the block and not in it: what is in it is drawn again by the shop's own script. Nothing tells when its totals
	 * change, so that no amount is said here.
	 */
	public static function add_places_to_block( string $html ): string {
		ob_start();
		self::show_offer_place();
		return ob_get_clean() . self::place( null ) . $html;
	}

	public static function place_for_shortcode(): string {
		global $product;
		if ( is_product() && $product instanceof \WC_Product ) {
			return self::place( (float) wc_get_price_to_display( $product ) );
		}
		return self::basket_place();
	}

	/**
	 * What the storefront script asks of the shop, for the session that asks: with GET a signed message of the basket, or of its
	 * declined payment; with POST it brings the answer to the box. 204 where there is nothing to say.
	 */
	public static function answer(): void {
		nocache_headers();
		if ( ! check_ajax_referer( self::NONCE, 'nonce', false ) ) {
			status_header( 403 );
		} elseif ( isset( $_SERVER['REQUEST_METHOD'] ) && 'POST' === $_SERVER['REQUEST_METHOD'] ) {
			self::take_consent( (array) json_decode( (string) file_get_contents( 'php://input', false, null, 0, 2048 ), true ) );
			status_header( 204 );
		} else {
			// phpcs:ignore WordPress.Security.NonceVerification -- Verified above.
			$message = isset( $_GET['declined'] ) ? Decline::message() : Basket::message();
			if ( null !== $message ) {
				wp_send_json( array( 'message' => $message ) );
			}
			status_header( 204 );
		}
		wp_die( '', '', array( 'response' => null ) );
	}

	private static function take_consent( array $said ): void {
		if ( isset( $said['email'], $said['granted'] ) && is_string( $said['email'] ) && is_bool( $said['granted'] ) ) {
			Consent::record( $said['granted'], sanitize_email( $said['email'] ), 'checkout' );
		}
	}

	private static function address(): string {
		return add_query_arg( 'nonce', wp_create_nonce( self::NONCE ), \WC_AJAX::get_endpoint( self::CALL ) );
	}

	private static function basket_place(): string {
		$cart = WC()->cart;
		return $cart instanceof \WC_Cart && ! $cart->is_empty() ? self::place( (float) $cart->get_total( 'edit' ) ) : '';
	}

	/** Nothing is seen of it until the script has something to show. */
	private static function place( ?float $amount ): string {
		$sum = null === $amount ? '' : sprintf(
			' data-amount="%s" data-currency="%s"',
			esc_attr( number_format( $amount, wc_get_price_decimals(), '.', '' ) ),
			esc_attr( get_woocommerce_currency() )
		);
		$words = esc_html__( 'Pay in parts', 'reprise' );
		return "<div class=\"reprise-plans\" data-reprise$sum hidden><p></p><button type=\"button\" class=\"button\">$words</button></div>";
	}
}
