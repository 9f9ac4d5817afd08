<?php
/**
 * WordPress' tools for personal data: Tools > Export Personal Data, and Erase Personal Data.
 *
 * @package Reprise
 */

namespace Reprise;

defined( 'ABSPATH' ) || exit;

/** What the shop keeps is shown and erased here; what Reprise keeps is asked of Reprise by a signed message. */
final class Privacy {
	const NAME    = 'reprise';
	const AT_ONCE = 50;

	public static function start(): void {
		add_filter( 'wp_privacy_personal_data_exporters', array( self::class, 'add_exporter' ) );
		add_filter( 'wp_privacy_personal_data_erasers', array( self::class, 'add_eraser' ) );
		add_action( 'admin_init', array( self::class, 'suggest_policy' ) );
	}

	public static function add_exporter( array $exporters ): array {
		$exporters[ self::NAME ] = array(
			'exporter_friendly_name' => __( 'Payment plans (Reprise)', 'reprise' ),
			'callback'               => array( self::class, 'export' ),
		);
		return $exporters;
	}

	public static function add_eraser( array $erasers ): array {
		$erasers[ self::NAME ] = array(
			'eraser_friendly_name' => __( 'Payment plans (Reprise)', 'reprise' ),
			'callback'             => array( self::class, 'erase' ),
		);
		return $erasers;
	}

	/** The answers about reminders that the shop keeps, a page of orders at a time. The first page asks Reprise for its part. */
	public static function export( string $email, int $page = 1 ): array {
		$orders = self::orders( $email, $page );
		$found  = array();
		foreach ( $orders as $order ) {
			$said = Consent::kept_with( $order );
			if ( null !== $said ) {
				$found[] = self::item( 'order-' . $order->get_id(), $said );
			}
		}
		if ( 1 === $page ) {
			$found = array_merge( $found, self::of_account( $email ), self::asked( $email ) );
		}
		return array(
			'data' => $found,
			'done' => count( $orders ) < self::AT_ONCE,
		);
	}

	/** Forget what the shop keeps, a page of orders at a time. The first page tells Reprise to forget, too. */
	public static function erase( string $email, int $page = 1 ): array {
		$orders = self::orders( $email, $page );
		foreach ( $orders as $order ) {
			$order->delete_meta_data( Consent::META );
			$order->save_meta_data();
		}
		return array(
			'items_removed'  => array() !== $orders || 1 === $page,
			'items_retained' => false,
			'messages'       => 1 === $page ? self::told_to_forget( $email ) : array(),
			'done'           => count( $orders ) < self::AT_ONCE,
		);
	}

	public static function suggest_policy(): void {
		if ( function_exists( 'wp_add_privacy_policy_content' ) ) {
			wp_add_privacy_policy_content( 'Reprise', wp_kses_post( wpautop( self::policy() ) ) );
		}
	}

	private static function policy(): string {
		return __( 'Your basket is told to the service that we run for payments in parts. Your address is told when you are signed in, when you allow reminders, or when you order. No cookie is set for it, and no card number ever reaches it.', 'reprise' );
	}

	private static function asked( string $email ): array {
		if ( null === Connection::current() || null === Outbox::put( 'asked:' . md5( $email ), 'customer.data_requested', array( 'email' => $email ) ) ) {
			return array();
		}
		return array(
			self::group( 'asked' ) + array(
				'data' => array(
					array(
						'name'  => __( 'Asked of Reprise', 'reprise' ),
						'value' => __( 'What Reprise keeps about this person is shown there, under Cases.', 'reprise' ),
					),
				),
			),
		);
	}

	/** @return string[] */
	private static function told_to_forget( string $email ): array {
		$user = get_user_by( 'email', $email );
		if ( $user ) {
			delete_user_meta( $user->ID, Basket::META );
			delete_user_meta( $user->ID, Consent::META );
		}
		if ( null === Connection::current() ) {
			return array();
		}
		Outbox::forget( $email );
		$kept = Outbox::put( 'forget:' . md5( $email ), 'customer.redacted', array( 'email' => $email ) );
		return array(
			null === $kept
				? __( 'Reprise could not be told to forget this person: erase the data once more.', 'reprise' )
				: __( 'Reprise is told to forget this person. Where a plan of theirs still runs it asks you first, under Cases.', 'reprise' ),
		);
	}

	private static function of_account( string $email ): array {
		$user = get_user_by( 'email', $email );
		$said = $user ? get_user_meta( $user->ID, Consent::META, true ) : null;
		return is_array( $said ) ? array( self::item( 'user-' . $user->ID, $said ) ) : array();
	}

	private static function item( string $id, array $said ): array {
		$words = array(
			'granted'      => __( 'Reminders allowed', 'reprise' ),
			'at'           => __( 'Answered at', 'reprise' ),
			'text_version' => __( 'Sentence', 'reprise' ),
			'source'       => __( 'Answered in', 'reprise' ),
		);
		$data  = array();
		foreach ( $words as $name => $word ) {
			$value  = $said[ $name ] ?? '';
			$value  = is_bool( $value ) ? ( $value ? __( 'yes', 'reprise' ) : __( 'no', 'reprise' ) ) : (string) $value;
			$data[] = array(
				'name'  => $word,
				'value' => $value,
			);
		}
		return self::group( $id ) + array( 'data' => $data );
	}

	private static function group( string $id ): array {
		return array(
			'group_id'    => self::NAME,
			'group_label' => __( 'Payment plans (Reprise)', 'reprise' ),
			'item_id'     => "reprise-$id",
		);
	}

	/** @return \WC_Order[] */
	private static function orders( string $email, int $page ): array {
		if ( ! function_exists( 'wc_get_orders' ) ) {
			return array();
		}
		return (array) wc_get_orders(
			array(
				'billing_email' => $email,
				'limit'         => self::AT_ONCE,
				'page'          => $page,
				'orderby'       => 'ID',
				'order'         => 'ASC',
			)
		);
	}
}
