<?php
/**
 * A payment that was declined at the shop's own checkout.
 *
 * @package Reprise
 */

namespace Reprise;

defined( 'ABSPATH' ) || exit;

/** Told to Reprise as the gateway put it; what kind of refusal it was is judged there. */
final class Decline {
	/** The order whose refusal was told last, and the message, for the page that asks after it. */
	const TOLD = 'reprise_declined';
	/** What the gateway said stays with the order: its own messages to Reprise carry it, too. */
	const META    = '_reprise_decline';
	const LONGEST = 300;

	/** @var int[] The orders that failed while this page was made. */
	private static array $failed = array();

	public static function start(): void {
		add_action( 'woocommerce_order_status_failed', array( self::class, 'note' ), 10, 1 );
		// After the basket: a state of it that is told later would be newer than the refusal.
		add_action( 'shutdown', array( self::class, 'tell' ), 1 );
	}

	/** Gateways leave their reason in a note after they have set the status, so that it is read when the page is done. */
	public static function note( $order_id ): void {
		self::$failed[ (int) $order_id ] = (int) $order_id;
	}

	public static function tell(): void {
		foreach ( self::$failed as $order_id ) {
			$order = wc_get_order( $order_id );
			if ( $order instanceof \WC_Order && $order->has_status( 'failed' ) ) {
				self::tell_of( $order );
			}
		}
		self::$failed = array();
	}

	/** The shopper's order whose payment was declined; null where none was. */
	public static function order(): ?\WC_Order {
		$order = Basket::order();
		return null !== $order && $order->has_status( 'failed' ) ? $order : null;
	}

	/** The message of the shopper's declined payment, signed now; null where none of his was declined. */
	public static function message(): ?array {
		$order = self::order();
		if ( null === $order ) {
			return null;
		}
		$told = WC()->session->get( self::TOLD );
		if ( is_array( $told ) && $told['order'] === $order->get_id() ) {
			return Outbox::signed( $told['id'], $told['body'] );
		}
		// The gateway told of it behind the shopper's back: this page is the first of his that hears of it.
		return Outbox::message( 'payment.failed', self::described( $order, self::when( $order ) ) );
	}

	private static function tell_of( \WC_Order $order ): void {
		$order->update_meta_data( self::META, self::reason( $order ) );
		$order->save_meta_data();
		$kept = Outbox::put( 'failed:' . $order->get_id(), 'payment.failed', self::described( $order, Basket::moment() ) );
		$his  = Basket::order();
		if ( null !== $kept && null !== $his && $his->get_id() === $order->get_id() ) {
			WC()->session->set( self::TOLD, array( 'order' => $order->get_id() ) + $kept );
		}
	}

	private static function described( \WC_Order $order, string $at ): array {
		$cart               = Basket::of_order( $order );
		$cart['updated_at'] = $at;
		return array(
			'order_id' => (string) $order->get_id(),
			'at'       => $at,
			'gateway'  => $order->get_payment_method(),
			'reason'   => self::reason( $order ),
			'cart'     => $cart,
		);
	}

	private static function when( \WC_Order $order ): string {
		$changed = $order->get_date_modified();
		return $changed ? gmdate( 'Y-m-d\TH:i:s\Z', $changed->getTimestamp() ) : Basket::moment();
	}

	/** What the gateway said: the newest notes that it left for the shop. Long numbers are cut out: one could be a card's. */
	private static function reason( \WC_Order $order ): string {
		$notes = wc_get_order_notes(
			array(
				'order_id' => $order->get_id(),
				'type'     => 'internal',
				'limit'    => 3,
				'orderby'  => 'date_created_gmt',
				'order'    => 'DESC',
			)
		);
		$said  = array();
		foreach ( $notes as $note ) {
			$said[] = wp_strip_all_tags( $note->content, true );
		}
		/**
		 * What a gateway said of a payment that it declined. A gateway that keeps its code elsewhere is added here.
		 *
		 * @param string    $reason The newest notes of the order.
		 * @param \WC_Order $order  The order.
		 */
		$reason = (string) apply_filters( 'reprise_decline_reason', implode( ' | ', $said ), $order );
		return mb_substr( (string) preg_replace( '/\d(?:[ -]?\d){11,}/', '…', $reason ), 0, self::LONGEST );
	}
}
