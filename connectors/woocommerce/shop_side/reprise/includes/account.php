<?php
/**
 * The customer's way to his payment plan, to see or to cancel it.
 *
 * @package Reprise
 */

namespace Reprise;

defined( 'ABSPATH' ) || exit;

/**
 * The page of a plan is Reprise's. The shop keeps no link to it: it leads there by an address of its own, which asks for
 * the order's key and signs the way anew each time.
 */
final class Account {
	/** Reprise leaves the plan's id in the order that it belongs to. */
	const PLAN = '_reprise_plan';
	const WAY  = 'reprise_plan';

	public static function start(): void {
		add_action( 'woocommerce_order_details_after_order_table', array( self::class, 'show_link' ) );
		add_action( 'woocommerce_email_after_order_table', array( self::class, 'mail_link' ), 10, 3 );
		add_action( 'woocommerce_api_' . self::WAY, array( self::class, 'lead' ) );
	}

	/** @param mixed $order What the page shows: an order, as a rule. */
	public static function show_link( $order ): void {
		if ( self::has_plan( $order ) ) {
			printf( '<p class="reprise-plan"><a href="%s">%s</a></p>', esc_url( self::link( $order ) ), esc_html( self::words() ) );
		}
	}

	/**
	 * @param mixed $order   What the mail is about: an order, as a rule.
	 * @param mixed $to_shop Whether the mail goes to the shop.
	 * @param mixed $plain   Whether it is plain text.
	 */
	public static function mail_link( $order, $to_shop = false, $plain = false ): void {
		if ( $to_shop || ! self::has_plan( $order ) ) {
			return;
		}
		if ( $plain ) {
			echo "\n" . esc_html( self::words() ) . ': ' . esc_url_raw( self::link( $order ) ) . "\n";
		} else {
			self::show_link( $order );
		}
	}

	/** Lead whoever has the order's key to the page of its plan. */
	public static function lead(): void {
		// phpcs:disable WordPress.Security.NonceVerification -- A link in a mail: the order's key is the proof.
		$order = wc_get_order( isset( $_GET['order'] ) ? absint( $_GET['order'] ) : 0 );
		$key   = isset( $_GET['key'] ) ? sanitize_text_field( wp_unslash( $_GET['key'] ) ) : '';
		// phpcs:enable
		$known = $order instanceof \WC_Order && '' !== $key && hash_equals( $order->get_order_key(), $key );
		$to    = $known && self::has_plan( $order ) ? self::signed_link( $order ) : null;
		nocache_headers();
		header( 'Referrer-Policy: no-referrer' );
		if ( null === $to ) {
			wp_die( esc_html__( 'There is no payment plan behind this link.', 'reprise' ), '', array( 'response' => 404 ) );
		}
		// phpcs:ignore WordPress.Security.SafeRedirect -- To the Reprise of this shop, whose address is its owner's setting.
		wp_redirect( $to, 303 );
		exit;
	}

	/** @param mixed $order An order, or not. */
	private static function has_plan( $order ): bool {
		return $order instanceof \WC_Order && '' !== (string) $order->get_meta( self::PLAN );
	}

	private static function words(): string {
		return __( 'See, change or cancel your payment plan', 'reprise' );
	}

	private static function link( \WC_Order $order ): string {
		$query = array(
			'order' => $order->get_id(),
			'key'   => $order->get_order_key(),
		);
		return add_query_arg( $query, WC()->api_request_url( self::WAY ) );
	}

	/** It opens for as long as a delivery's signature counts: five minutes. */
	private static function signed_link( \WC_Order $order ): ?string {
		$connection = Connection::current();
		$message    = Outbox::message( 'plan.opened', array( 'plan' => (string) $order->get_meta( self::PLAN ) ) );
		if ( null === $connection || null === $message ) {
			return null;
		}
		return add_query_arg( array_map( 'rawurlencode', $message ), "$connection->house/storefront/$connection->shop/plan" );
	}
}
